"""A training that is cut at any step and goes on is, to the last bit, the one that was never cut."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from reference.trained import NOISY, TABLE, Trained, fit, parts_of

from descent.checkpoints import Checkpoints
from descent.errors import Interrupted

SHORT = (*TABLE, "epochs=3", "batch_size=16", "checkpoint.seconds=1000")  # 160 rows: 10 steps an epoch
EARLY = ("regularization=[early_stopping,dropout]", "regularization.early_stopping.patience=1", "epochs=9", "lr=0.3")
WAYS = {
    "chunks": (),
    "chunks of three": ("loader.chunk=3",),
    "single steps": ("loader.chunk=1",),
    "accumulated": ("accumulate=3",),
    "accumulated chunks": ("accumulate=2", "loader.chunk=2"),
    "full batch": ("batch_size=full", "epochs=12"),
    "a tail dropped": ("loader.drop_last=true", "batch_size=15"),
    "streaming": ("loader.stream=true",),
    "noise": NOISY,
    "momentum and cosine": ("optimizer=momentum", "scheduler=cosine", "scheduler.interval=step"),
    "plateau": ("scheduler=plateau", "scheduler.patience=1", "lr=0.1"),
    "early stopping": EARLY,
    "last weights": ("restore=last",),
    "no validation": ("dataset.val_fraction=0",),
    "rare validation": ("trainer.check_val_every_n_epoch=2",),
    "double precision": ("precision=64",),
    "bfloat16": ("precision=bf16-mixed",),
    "many small epochs": ("dataset.samples=40", "epochs=9"),
}


class Cut(pl.Callback):
    """Asks the engine to stop, as a signal does, when so many steps are done."""

    def __init__(self, step: int) -> None:
        self.step = step


@dataclass
class Result:
    weights: str
    predictions: str
    history: dict
    losses: np.ndarray
    layers: list
    metrics: dict
    steps: int


def result_of(run: Trained) -> Result:
    metrics = {name: value for name, value in run.outcome.metrics.items() if not name.startswith("time/")}
    engine = run.engine
    return Result(
        run.outcome.weights_sha256,
        run.outcome.predictions_sha256,
        engine.history,
        np.concatenate(engine.losses),
        engine.statistics.rows,
        metrics,
        run.trainer.global_step,
    )


def same(one: Result, other: Result) -> None:
    np.testing.assert_array_equal(one.losses, other.losses)
    assert (one.weights, one.predictions) == (other.weights, other.predictions)
    assert repr(one.history) == repr(other.history)
    assert repr(one.layers) == repr(other.layers)
    assert repr(one.metrics) == repr(other.metrics)
    assert one.steps == other.steps


def stop_at(engine, step: int) -> None:
    """As a signal would: a flag that is read between minibatches."""
    original = engine.recipe.owner.step

    def counted(gradients, optimizer):
        done = sum(map(len, engine.losses)) + counted.in_chunk
        counted.in_chunk += 1
        if done + 1 == step:
            engine.interrupted = 15
        return original(gradients, optimizer)

    counted.in_chunk = 0
    close = engine._close_chunk

    def closed(losses, outputs, targets):
        counted.in_chunk = 0
        close(losses, outputs, targets)

    engine._close_chunk = closed
    object.__setattr__(engine.recipe.owner, "step", counted)


def cut(directory: Path, step: int, *overrides: str, checkpoint: Path | None = None) -> None:
    config, parts = parts_of(*overrides)
    stop_at(parts.engine, step)
    with pytest.raises(Interrupted):
        fit(config, parts, directory=directory, checkpoint=checkpoint)


def gone_on(directory: Path, *overrides: str) -> Trained:
    config, parts = parts_of(*overrides)
    checkpoint = Checkpoints(directory / "checkpoints").newest()
    assert checkpoint is not None
    return fit(config, parts, directory=directory, checkpoint=checkpoint)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_was_cut_is_the_one_that_was_not(tmp_path, way):
    overrides = (*SHORT, *WAYS[way])
    config, parts = parts_of(*overrides)
    whole = result_of(fit(config, parts))
    for step in sorted({1, whole.steps // 3, whole.steps // 2, whole.steps - 1}):
        directory = tmp_path / str(step)
        directory.mkdir()
        cut(directory, step, *overrides)
        same(result_of(gone_on(directory, *overrides)), whole)


def test_cut_at_every_step_one_after_another(tmp_path):
    overrides = (*SHORT, *NOISY, "loader.chunk=4", "scheduler=plateau")
    config, parts = parts_of(*overrides)
    whole = result_of(fit(config, parts))
    checkpoint = None
    for step in range(1, whole.steps):
        cut(tmp_path, step, *overrides, checkpoint=checkpoint)
        checkpoint = Checkpoints(tmp_path / "checkpoints").newest()
        assert int(checkpoint.name.split("-")[1]) == step
    same(result_of(gone_on(tmp_path, *overrides)), whole)
