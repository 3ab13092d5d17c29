"""A run from configuration to outcome, in this process, without tracking: what the engine's tests look at."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from descent import assembly, training
from descent.assembly import Parts
from descent.config import Config
from descent.engine import Engine
from descent.interruption import interruptible
from descent.outcome import Outcome
from descent.reproducibility import computing
from descent.tracking.run import Run
from reference.composed import config_of

QUIET = ("tracking=none", "trainer.enable_progress_bar=false", "device=cpu", "threads=1")
TABLE = ("dataset=synthetic", "dataset.samples=200", "dataset.shape=[6]", "dataset.classes=3", "model.hidden=[8]")
NOISY = ("regularization=[dropout,batch_norm]",)


@dataclass(frozen=True)
class Trained:
    config: Config
    parts: Parts
    trainer: pl.Trainer
    outcome: Outcome

    @property
    def engine(self) -> Engine:
        return self.parts.engine


def parts_of(*overrides: str) -> tuple[Config, Parts]:
    config = config_of(*QUIET, *overrides)
    with computing(1, True):
        return config, assembly.assemble(config)


def changed(parts: Parts, **recipe: Any) -> Parts:
    """The same parts with another recipe: methods, owner, optimizer."""
    engine = parts.engine
    return replace(parts, engine=Engine(engine.model, engine.scaling, engine.data, replace(engine.recipe, **recipe)))


def fit(
    config: Config,
    parts: Parts,
    console: Console | None = None,
    directory: Path | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    console, run = console or Console(file=io.StringIO()), Run("test", "l0")
    with TemporaryDirectory() as scratch, computing(1, True), interruptible(parts.engine):
        outcome = training.fit(config, parts, run, directory or Path(scratch), console, checkpoint)
    return Trained(config, parts, parts.engine.trainer, outcome)


def trained(*overrides: str, change: Callable[[Parts], Parts] | None = None) -> Trained:
    """`trained("epochs=2", change=lambda parts: changed(parts, methods=[...]))`."""
    config, parts = parts_of(*overrides)
    return fit(config, change(parts) if change else parts)
