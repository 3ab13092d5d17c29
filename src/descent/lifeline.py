"""A child process ends when its parent does, however that ends; and every process of ours without delay."""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import psutil

_PR_SET_PDEATHSIG = 1
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}
ADOPTS = 1  # the process that orphans belong to


def die_with_parent(parent: int) -> None:
    """Called in the child: the kernel kills it when the parent is gone; at once where it is gone already."""
    _on_death(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died between starting us and the line above


@cache
def close_databases() -> None:
    """At the end of this process: what stays open keeps its last pages in a file beside it. Called before the first."""
    from sqlalchemy import Engine, event

    opened: WeakSet[Engine] = WeakSet()
    event.listen(Engine, "engine_connect", lambda connection: opened.add(connection.engine))

    def close() -> None:
        for engine in list(opened):
            engine.dispose()

    atexit.register(close)


@cache
def end_quickly() -> None:
    """At its end Python would look for cycles in all that torch and Lightning have made: seconds for nothing."""
    atexit.register(gc.freeze)


def die_with_starter(program: str) -> None:
    """The same where a program starts this process, itself or by way of shells, and cannot say its own number."""
    starter = starter_of_this()
    if starter is None or (starter.pid == ADOPTS and not any(program in word for word in starter.cmdline())):
        os._exit(1)  # it died before we could look
    if starter.pid == os.getppid():
        die_with_parent(starter.pid)
    elif sys.platform == "linux":
        handle = os.pidfd_open(starter.pid)
        threading.Thread(target=_die_after, args=(handle,), daemon=True).start()


def starter_of_this() -> "psutil.Process | None":
    """The nearest process above this one that is not a shell: some shells stay between the two, some do not."""
    import psutil

    return next((parent for parent in psutil.Process().parents() if parent.name() not in SHELLS), None)


def _die_after(handle: int) -> None:
    import select

    select.select([handle], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def outlive_parent() -> None:
    """Called in the child: from here on it ends by itself."""
    _on_death(0)


def _on_death(number: int) -> None:
    if sys.platform == "linux":  # elsewhere a pipe's end has to do
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
