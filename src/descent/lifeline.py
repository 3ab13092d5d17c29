"""A child process ends when its parent does, however that ends."""

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Called in the child: the kernel kills it when the parent is gone; at once where it is gone already."""
    _on_death(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died between starting us and the line above


def outlive_parent() -> None:
    """Called in the child: from here on it ends by itself."""
    _on_death(0)


def _on_death(number: int) -> None:
    if sys.platform == "linux":  # elsewhere a pipe's end has to do
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
