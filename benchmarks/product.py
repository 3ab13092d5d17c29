"""The whole product as a user gets it: configuration, training, tracking in SQLite, report."""

import io
import json
import time
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from descent.config import Config, project_root
from descent.training import train


class Timed(NamedTuple):
    """Seconds of the fit, and of everything around it."""

    fit: float
    around: float


def product(config: Config) -> Timed:
    """Train as src/train.py does; the fit's time is the one that the run itself reports."""
    directory = Path(mkdtemp(prefix="run-", dir=project_root()))
    started = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        train(config, directory)
    total = time.perf_counter() - started
    fit = float(json.loads((directory / "results.json").read_text())["metrics"]["time/seconds"])
    return Timed(fit, total - fit)
