"""Trainings that a signal cuts at a step, and what must be the same of the one that goes on."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from descent.assembly import Parts
from descent.checkpoints import Checkpoints
from descent.errors import Interrupted
from descent.regularization.method import StepOwner
from reference.trained import TABLE, Trained, changed, fit, parts_of

SHORT = (*TABLE, "epochs=3", "batch_size=16", "checkpoint.seconds=1000")  # 160 rows: 10 steps an epoch
Change = Callable[[Parts], Parts]


class Stops(StepOwner):
    """Sends this process a SIGTERM during the `after`-th step of its sitting."""

    def __init__(self, owner: StepOwner, after: int) -> None:
        self.owner, self.left = owner, after

    def step(self, gradients, optimizer):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.owner.step(gradients, optimizer)

    def state_dict(self):
        return self.owner.state_dict()

    def load_state_dict(self, state):
        self.owner.load_state_dict(state)


@dataclass(frozen=True)
class Result:
    weights: str
    predictions: str
    history: str
    losses: bytes
    layers: str
    metrics: str
    steps: int
    stopped_because: str | None


def result_of(run: Trained) -> Result:
    """Every bit that a training comes to, but for its time."""
    metrics = {name: value for name, value in run.outcome.metrics.items() if not name.startswith("time/")}
    return Result(
        run.outcome.weights_sha256,
        run.outcome.predictions_sha256,
        str(run.engine.history),
        np.concatenate(run.engine.losses).tobytes(),
        str(run.engine.statistics.rows),
        str(metrics),
        run.trainer.global_step,
        run.outcome.stopped_because,
    )


def newest(directory: Path) -> Path | None:
    return Checkpoints(directory / "checkpoints").newest()


def sitting(directory: Path, *overrides: str, change: Change | None = None) -> Trained:
    """From the directory's newest checkpoint, where it has one, to the end."""
    config, parts = parts_of(*overrides)
    directory.mkdir(exist_ok=True)
    return fit(config, change(parts) if change else parts, directory=directory, checkpoint=newest(directory))


def cut(directory: Path, after: int, *overrides: str, change: Change | None = None) -> int:
    """A sitting that a signal ends in its `after`-th step; returns the steps of the checkpoint that it leaves."""

    def stopping(parts: Parts) -> Parts:
        parts = change(parts) if change else parts
        return changed(parts, owner=Stops(parts.engine.recipe.owner, after))

    with pytest.raises(Interrupted):
        sitting(directory, *overrides, change=stopping)
    left: Any = newest(directory)
    return int(left.name.split("-")[1])
