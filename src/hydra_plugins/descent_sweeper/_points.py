"""A worker of a grid: one point after another, each an ordinary run, as its leader hands them out."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from descent import door, trials
from descent.errors import Interrupted
from hydra_plugins.descent_sweeper._voices import Voice
from hydra_plugins.descent_sweeper._worker import complain, log_of, logged, ordered

PROGRAM = "from hydra_plugins.descent_sweeper._points import main; main()"


@dataclass(frozen=True)
class Job:
    """A point as a worker is given it."""

    number: int
    words: list[str]
    directory: str


@dataclass(frozen=True)
class Came:
    """What a point came to; `value` is None where it failed."""

    value: float | None
    why: str = ""
    exit_code: int = 0


def main() -> None:
    """A worker: reads what all points have in common, then one point after another."""
    order = ordered()
    voice = Voice(order["voice"])
    try:
        for line in sys.stdin:
            job = Job(**json.loads(line))
            voice.say(number=job.number, **asdict(_came_of(job, order, voice)))
    except (Interrupted, KeyboardInterrupt) as end:
        raise SystemExit(end.exit_code if isinstance(end, Interrupted) else 143) from None


def _came_of(job: Job, order: Mapping[str, Any], voice: Voice) -> Came:
    directory, log = Path(job.directory), log_of(Path(order["directory"]), job.number)
    told = partial(voice.epoch, job.number)
    where = "", order["searchpath"], order["primary"]  # it is the trial of no study
    try:
        with logged(log):
            came = trials.run(trials.Trial(directory, job.words, *where, tested=True, whole=True, told=told))
    except (Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        complain(log, error)
        return Came(None, door.one_line(error), door.exit_code(error))
    return Came(came.values[0])
