"""When a state is written, and what is in it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from descent import training
from descent.callbacks import checkpointing as module
from descent.checkpoints import Checkpoints
from descent.durable import UNFINISHED
from descent.errors import Diverged
from reference.resumed import SHORT, cut, newest, sitting


@pytest.fixture
def written(monkeypatch):
    """The steps after which a state went to the disk."""
    steps, save = [], Checkpoints.save

    def noting(self, state, step):
        steps.append(step)
        return save(self, state, step)

    monkeypatch.setattr(Checkpoints, "save", noting)
    return steps


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (["checkpoint.seconds=1000"], [30]),
        (["checkpoint.seconds=0"], [10, 20, 30]),
        (["checkpoint.every=8"], [8, 16, 24, 30]),
        (["checkpoint.every=8", "loader.chunk=3"], [8, 16, 24, 30]),
        (["checkpoint.every=5", "loader.chunk=4", "checkpoint.seconds=0"], [5, 10, 10, 15, 20, 20, 25, 30, 30]),
        (["checkpoint.every=4", "accumulate=3"], [4, 8, 12, 12]),
        (["checkpoint.every=7", "loader.stream=true"], [7, 14, 21, 28, 30]),
        (["checkpoint.every=7", "dataset.val_fraction=0", "batch_size=18"], [7, 14, 21, 28, 30]),
    ],
)
def test_the_steps_after_which_a_state_is_written(tmp_path, written, settings, steps):
    """Ten after an epoch's last minibatch and ten after its end are two states."""
    sitting(tmp_path, *SHORT, *settings)
    assert written == steps


@pytest.mark.parametrize(("settings", "steps"), [([], []), (["checkpoint.every=8"], [8, 16, 24])])
def test_the_end_is_left_out_where_nobody_goes_on_from_it(tmp_path, written, composed, settings, steps):
    config = composed(*SHORT, *settings)
    training.train_one(replace(config, checkpoint=replace(config.checkpoint, last=False)), tmp_path)
    assert written == steps


def test_what_a_state_goes_on_from_is_on_the_disk_before_it(tmp_path, monkeypatch, composed):
    synced, fsync = [], os.fsync

    def noting(number):
        synced.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", noting)
    training.train_one(composed(*SHORT, "checkpoint.every=8"), tmp_path)
    first = next(place for place, name in enumerate(synced) if name.startswith(".step-"))
    assert {"run.json", "provenance.json", tmp_path.name} <= set(synced[:first])


def test_a_signal_writes_one(tmp_path, written):
    assert cut(tmp_path, 13, *SHORT) == 13
    assert written == [13]


def test_epoch_ends_wait_for_their_seconds(tmp_path, written, monkeypatch):
    """A clock of four seconds an epoch, ten seconds between two states."""
    run = []

    def clock():
        return 4.0 * len(run[0].history.get("train/loss", [])) if run else 0.0

    def keeping(parts):
        run.append(parts.engine)
        return parts

    monkeypatch.setattr(module.time, "monotonic", clock)
    sitting(tmp_path, *SHORT, "epochs=8", "checkpoint.seconds=10", "trainer.enable_progress_bar=false", change=keeping)
    assert written == [30, 60, 80]


def test_the_last_weights_are_written_and_the_best_reported(tmp_path):
    overrides = (*SHORT, "epochs=8", "lr=0.3")
    best, last = sitting(tmp_path / "best", *overrides), sitting(tmp_path / "last", *overrides, "restore=last")
    assert best.outcome.epoch < 7 and best.outcome.weights_sha256 != last.outcome.weights_sha256
    saved = torch.load(newest(tmp_path / "best"), weights_only=True)["state_dict"]
    for name, weight in last.engine.model.state_dict().items():
        assert torch.equal(saved[f"model.{name}"], weight)


def test_a_training_that_diverges_leaves_what_was_good(tmp_path):
    with pytest.raises(Diverged):
        sitting(tmp_path, *SHORT, "optimizer=sgd", "lr=1e4", "loss=mse", "checkpoint.every=1")
    saved = torch.load(newest(tmp_path), weights_only=True)
    assert all(torch.isfinite(weight).all() for weight in saved["state_dict"].values())
    assert torch.isfinite(saved["descent"]["losses"]).all() and saved["global_step"] > 0


def test_what_a_killed_process_was_writing_goes_when_a_training_begins(tmp_path):
    orphan = tmp_path / "checkpoints" / f".step.0a1b2c3d{UNFINISHED}"
    orphan.parent.mkdir()
    orphan.write_bytes(b"half")
    sitting(tmp_path, *SHORT)
    assert len(list(orphan.parent.iterdir())) == 1 and not orphan.exists()
