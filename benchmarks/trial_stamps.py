"""How long a worker takes from the last step of one trial to the first of its next, read from what the runs have said.

The time of an epoch's metrics is when the epoch had ended. A trial's first step is taken to lie one epoch, as long as
its second, before the end of its first: whatever makes the first epoch longer counts as time between two trials.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from descent.tracking.outbox import FOLDER, Reader
from descent.tracking.records import Metrics, Opened


@dataclass(frozen=True)
class Stamps:
    """One trial: who ran it, and seconds of the clock at which its epochs had ended."""

    worker: str
    epochs: list[float]

    @property
    def begun(self) -> float:
        """Its first step, at the latest."""
        return self.epochs[0] - (self.epochs[1] - self.epochs[0])


def stamps(trial: Path) -> Stamps:
    """Of a trial of at least two epochs that was trained in one sitting."""
    worker, ends = "", {}
    for record, _ in Reader(trial / FOLDER).since(0):
        if isinstance(record, Opened):
            worker = record.tags["owner.pid"]
        elif isinstance(record, Metrics) and "train/loss" in record.values:
            ends.setdefault(record.step, record.timestamp / 1000)
    return Stamps(worker, [ends[step] for step in sorted(ends)])


def between(trials: list[Path]) -> list[float]:
    """Seconds between each trial and the one that its worker ran next."""
    of_worker: dict[str, list[Stamps]] = {}
    for one in map(stamps, trials):
        of_worker.setdefault(one.worker, []).append(one)
    gaps = []
    for ran in of_worker.values():
        ran.sort(key=lambda one: one.epochs[0])
        gaps += [later.begun - earlier.epochs[-1] for earlier, later in pairwise(ran)]
    return gaps


def reached(trials: list[Path], value: float) -> tuple[int, float] | None:
    """Which finished trial was the first to be as good as that, and when it had ended."""
    found = []
    for trial in trials:
        if (results := trial / "results.json").exists():
            said = json.loads(results.read_text())
            if said["stopped_because"] != "pruned" and said["objective"] >= value:
                found.append((results.stat().st_mtime, int(trial.name)))
    return (min(found)[1], min(found)[0]) if found else None
