"""Signals become a flag that the engine reads between steps; a second one stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from descent.errors import Interrupted

if TYPE_CHECKING:
    from descent.engine import Engine


@contextmanager
def interruptible(engine: "Engine") -> Iterator[None]:
    """SIGINT and SIGTERM finish the minibatch, then raise Interrupted here."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise Interrupted(number)
        received.append(number)
        engine.interrupted = True

    watched = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in watched}
    engine.signal_handlers = dict.fromkeys(watched, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise Interrupted(received[0])
