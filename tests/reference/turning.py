"""Contenders of a benchmark that takes turns: processes import them by name."""

import os
import time
from pathlib import Path

BUSY = 0.5  # seconds, by a clock that stands still while the process is stopped


def busy(gate):
    """Counts until its own clock has gone on that long; leaves when that began and ended by the machine's clock."""

    def fit():
        with gate():
            began, started = time.clock_gettime(time.CLOCK_MONOTONIC), time.perf_counter()
            while time.perf_counter() - started < BUSY:
                pass
            seconds, ended = time.perf_counter() - started, time.clock_gettime(time.CLOCK_MONOTONIC)
            Path(os.environ["DESCENT_ROOT"], "times").write_text(f"{began} {ended}")
        return seconds

    return fit


def broken(gate):
    def fit():
        with gate():
            raise OSError("no loop")

    return fit
