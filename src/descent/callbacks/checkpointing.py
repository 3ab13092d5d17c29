"""When a training's state is written: at epoch ends now and then, every so many steps, on a signal, and at the end.

The trials of a search have none at an end that was foreseen: nothing goes on from there, and the next one would wait.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Checkpoint

from descent.checkpoints import Checkpoints

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from descent.engine import Engine


class Checkpointing(Checkpoint):
    """Lightning calls a Checkpoint after every other callback, so that their state is that of the same moment."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        seconds: float,
        every: int | None,
        last: bool = True,
        before: Sequence[Callable[[], None]] = (),
    ) -> None:
        """`before` is called before each: what it makes durable is at least as old as the training's state."""
        self._checkpoints, self._before = checkpoints, before
        self._seconds, self._every, self._has_last = seconds, every, last
        self._last = time.monotonic()
        self._saved: tuple[int, int] | None = None

    def on_fit_start(self, trainer: "pl.Trainer", engine: "Engine") -> None:  # type: ignore[override]
        self._checkpoints.sweep()
        self._saved = engine.position  # of the state that was restored, or of nothing
        self._last = time.monotonic()

    def on_train_batch_end(self, trainer: "pl.Trainer", engine: "Engine", *rest: Any) -> None:  # type: ignore[override]
        is_due = self._every and engine.steps_done % self._every == 0
        if engine.interrupted or is_due:
            self._save(trainer, engine)

    def on_train_epoch_end(self, trainer: "pl.Trainer", engine: "Engine") -> None:  # type: ignore[override]
        if not engine.interrupted and time.monotonic() - self._last >= self._seconds:
            self._save(trainer, engine)

    def on_train_end(self, trainer: "pl.Trainer", engine: "Engine") -> None:  # type: ignore[override]
        if self._has_last or engine.interrupted or engine.stopped_because:  # a pruner may decide otherwise later
            self._save(trainer, engine)

    def _save(self, trainer: "pl.Trainer", engine: "Engine") -> None:
        if engine.position != self._saved and _is_finite(engine):
            for prepare in self._before:
                prepare()
            trainer.save_checkpoint(self._checkpoints.folder / "next")
            self._saved, self._last = engine.position, time.monotonic()


def _is_finite(engine: "Engine") -> bool:
    """Whether training could go on: weights that the next loss will refuse must not push out good ones."""
    return all(bool(torch.isfinite(weight).all()) for weight in engine.model.parameters())
