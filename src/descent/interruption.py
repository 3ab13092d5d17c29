"""A signal becomes a flag that the engine reads between steps; outside them, or the second time, it ends the run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from descent.errors import Interrupted

if TYPE_CHECKING:
    from descent.engine import Engine

WATCHED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(engine: "Engine | None" = None) -> Iterator[None]:
    """SIGINT and SIGTERM finish the minibatch that the engine trains, if there is one; then Interrupted is raised."""

    def note(number: int, frame: FrameType | None) -> None:
        if engine is None or engine.interrupted or not engine.stepping:
            raise Interrupted(number)
        engine.interrupted = number

    before = {number: signal.signal(number, note) for number in WATCHED}
    if engine is not None:
        engine.signal_handlers = dict.fromkeys(WATCHED, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
