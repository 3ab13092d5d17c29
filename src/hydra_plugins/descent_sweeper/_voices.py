"""What a worker says while it trains: lines of JSON through a pipe, which its leader reads now and then."""

import json
import os
import time
from contextlib import suppress
from typing import Any

ORDER = "order"
BETWEEN = 0.2  # seconds between two epochs that are told, at least


class Voice:
    """A worker's end."""

    def __init__(self, handle: int) -> None:
        os.set_inheritable(handle, False)  # no process of ours may keep it open
        self._handle, self._last = handle, 0.0

    def say(self, **said: Any) -> None:
        """One line, all or nothing; a leader that is gone hears nothing."""
        with suppress(BrokenPipeError):
            os.write(self._handle, (json.dumps(said) + "\n").encode())

    def order(self, order: dict[str, Any]) -> None:
        """What its leader is to have shipped."""
        self.say(**{ORDER: order})

    def epoch(self, number: int, done: int, epochs: int, value: float) -> None:
        """How far a trial has come, unless that was told just now."""
        if time.monotonic() - self._last >= BETWEEN:
            self._last = time.monotonic()
            self.say(number=number, done=done, epochs=epochs, value=value)


class Ear:
    """The leader's end. `other` is the worker's, to be closed here once it has it."""

    def __init__(self) -> None:
        self.handle, self.other = os.pipe()
        os.set_blocking(self.handle, False)
        self._rest = b""

    def heard(self) -> list[dict[str, Any]]:
        """What has been said since; a line that is not whole yet waits for its end."""
        with suppress(BlockingIOError):
            while part := os.read(self.handle, 1 << 16):
                self._rest += part
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """The worker has ended."""
        os.close(self.handle)
