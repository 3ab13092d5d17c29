"""The whole product as a user gets it: configuration, training, tracking in SQLite, report."""

import io
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple
from unittest.mock import patch

from descent import training
from descent.config import Config, project_root


class Timed(NamedTuple):
    """Seconds of the fit, and of everything around it."""

    fit: float
    around: float


def product(config: Config, timed: Callable[[], AbstractContextManager[None]] = nullcontext) -> Timed:
    """Train as src/train.py does, the fit inside of `timed`; its seconds are those that the run itself reports."""
    directory = Path(mkdtemp(prefix="run-", dir=project_root()))
    fit = training.fit

    def fitting(*args: Any) -> Any:
        with timed():
            return fit(*args)

    started = time.perf_counter()
    with patch.object(training, "fit", fitting), redirect_stdout(io.StringIO()):
        training.train(config, directory)
    total = time.perf_counter() - started
    seconds = float(json.loads((directory / "results.json").read_text())["metrics"]["time/seconds"])
    return Timed(seconds, total - seconds)
