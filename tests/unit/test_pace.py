"""Minibatches that grow: their sizes, their steps, what they see, and the steps themselves against NumPy."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from descent.callbacks.progress import LiveBar
from descent.data.loading import Feed, TrainingLoader
from descent.data.split import Split
from descent.errors import UsageError
from descent.optim.batch_growth import AtMilestones, AtPlateaus, Fixed
from descent.pace import Pace
from descent.regularization.method import Method
from reference.by_hand import Optimizer
from reference.stepped import DOUBLE, agree, by_hand, watched
from reference.trained import TABLE, changed, fit, parts_of, trained

GROWING = ("batch_size=16", "batch_growth=milestones", "batch_growth.milestones=[1,3]")  # of 160 rows
FLAT = ("lr=1e-9", "batch_growth=plateau", "batch_growth.patience=2")  # nothing is learnt: it grows every other epoch


def feed(batch_size=8, **changes):
    return Feed(**{"batch_size": batch_size, "accumulate": 1, "chunk": 12, "drop_last": False, "seed": 5, **changes})


def milestones(*epochs, factor=2.0, largest="full", scale_lr="none"):
    return AtMilestones(epochs, factor, largest, scale_lr)


def stalling(patience=2, **changes):
    knobs = {"threshold": 0.0, "threshold_mode": "absolute", "factor": 2.0, "largest": "full", "scale_lr": "none"}
    return AtPlateaus("val/loss", "minimize", patience, **{**knobs, **changes})


def paced(pace, rows_of_epochs):
    """The sizes of all epochs, each begun after the steps of the ones before."""
    sizes, done = [], 0
    for epoch in range(rows_of_epochs):
        pace.begin(epoch, done)
        assert pace.before == done
        sizes.append(pace.feed.batch_size)
        done += pace.steps
    assert done == pace.total
    return sizes


@pytest.mark.parametrize(
    ("growth", "how", "rows", "expected"),
    [
        (Fixed(), {}, 160, [8, 8, 8, 8]),
        (milestones(1, 3), {}, 160, [8, 16, 16, 32]),
        (milestones(3, 1), {}, 160, [8, 16, 16, 32]),
        (milestones(2, 2), {}, 160, [8, 8, 32, 32]),
        (milestones(9), {}, 160, [8, 8, 8, 8]),
        (milestones(1, 2, 3, largest=20), {}, 160, [8, 16, 20, 20]),
        (milestones(1, 2, 3), {}, 21, [8, 16, 21, 21]),
        (milestones(1, 2, 3, factor=1.15), {"batch_size": 100}, 999, [100, 115, 132, 152]),  # 132.25, 152.0875
        (milestones(1, 2, factor=1000.0), {}, 160, [8, 160, 160, 160]),
        (milestones(1, 2, 3), {"accumulate": 3, "batch_size": 32}, 160, [32, 53, 53, 53]),  # a step sees 159
        (milestones(1), {"accumulate": 2, "batch_size": 8}, 12, [8, 8, 8, 8]),
        (milestones(1, 2, 3, factor=1.5), {"batch_size": 6, "devices": 2}, 99, [6, 8, 12, 20]),  # 9, 13.5, 20.25
        (milestones(1, 2, 3, factor=4.0), {"batch_size": 6, "devices": 3}, 51, [6, 24, 51, 51]),
    ],
)
def test_the_sizes(growth, how, rows, expected):
    pace = Pace(feed(**how), growth, rows, 4)
    assert paced(pace, 4) == expected
    assert pace.sizes() == sorted(set(expected))
    steps = np.ceil(np.ceil(rows / np.array(expected)) / how.get("accumulate", 1))
    assert Pace(feed(**how), growth, rows, 4).total == steps.sum()  # known before the first step


@pytest.mark.parametrize("patience", [1, 2])
def test_sizes_at_plateaus(patience):
    """Powers of two of how often a NumPy count of epochs without a new minimum has been full."""
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 0.5, 0.6, 0.7, 0.8]
    growth, sizes, waited, times, expected = stalling(patience), [], 0, 0, []
    pace = Pace(feed(), growth, 10_000, len(losses))
    for epoch, loss in enumerate(losses):
        pace.begin(epoch, 0)
        sizes.append(pace.feed.batch_size)
        growth.epoch_end({"val/loss": loss})
        expected.append(8 * 2**times)
        waited = 0 if loss < min([np.inf, *losses[:epoch]]) else waited + 1
        times, waited = (times + 1, 0) if waited == patience else (times, waited)
    assert sizes == expected and len(set(sizes)) > 2
    assert set(sizes) <= set(pace.sizes())


@pytest.mark.parametrize(("scale_lr", "power"), [("none", 0), ("sqrt", 0.5), ("linear", 1)])
def test_the_rate_follows_the_size(scale_lr, power):
    run = trained(*TABLE, *GROWING, f"batch_growth.scale_lr={scale_lr}", "batch_growth.largest=24", "epochs=4")
    sizes, rates = (dict(run.engine.history[name]) for name in ("train/batch_size", "train/lr"))
    assert [sizes[epoch] for epoch in range(4)] == [16, 24, 24, 24]
    np.testing.assert_allclose([rates[epoch] for epoch in range(4)], 0.001 * np.array([1, 1.5, 1.5, 1.5]) ** power)


def test_no_size_is_recorded_where_none_grows():
    assert "train/batch_size" not in trained(*TABLE, "epochs=1").engine.history


class Seen(Method):
    """Notes the minibatches."""

    def __init__(self):
        self.sizes, self.rows = [], []

    def batch_in(self, batch):
        self.sizes.append(len(batch[1]))
        self.rows.append(batch[0].clone())
        return batch


@pytest.mark.parametrize("extra", [(), ("loader.stream=true",), ("accumulate=3",), ("loader.chunk=1",)])
def test_every_sample_is_seen_once_an_epoch(extra):
    seen = Seen()
    run = trained(*TABLE, *GROWING, "epochs=4", *extra, change=lambda parts: changed(parts, methods=[seen]))
    of_an_epoch = [[16] * 10, [32] * 5, [32] * 5, [64, 64, 32]]
    if extra == ("accumulate=3",):
        of_an_epoch[3] = [53, 53, 53, 1]
    assert seen.sizes == [size for sizes in of_an_epoch for size in sizes]
    every = run.engine.scaling(run.parts.data.train.inputs)[:, 0].sort().values
    for rows in torch.cat(seen.rows)[:, 0].split(160):
        torch.testing.assert_close(rows.sort().values, every)
    assert run.trainer.global_step == run.engine.steps_done == run.parts.steps == len(np.concatenate(run.engine.losses))


@pytest.mark.parametrize("scale_lr", ["none", "linear"])
def test_the_steps_are_numpys(scale_lr):
    overrides = (*GROWING, "epochs=4", "optimizer=momentum", f"batch_growth.scale_lr={scale_lr}")
    run, losses, initial = watched(*DOUBLE, *overrides)
    sizes, rates = [16, 32, 32, 64], [0.05 * (size / 16 if scale_lr == "linear" else 1) for size in (16, 32, 32, 64)]
    agree(run, losses, by_hand(run, initial, Optimizer("momentum", 0.05), "cross_entropy", sizes=sizes, rates=rates))


def test_the_way_the_minibatches_are_brought_changes_no_bit():
    runs = [
        trained(*TABLE, *GROWING, "epochs=4", "regularization=[dropout]", *how).outcome.weights_sha256
        for how in ((), ("loader.chunk=1",), ("loader.chunk=3",), ("loader.stream=true",), ("checkpoint.every=4",))
    ]
    assert len(set(runs)) == 1


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (["scheduler=cosine"], lambda t: (1 + np.cos(np.pi * t / 23)) / 2),
        (["scheduler=polynomial"], lambda t: 1 - t / 23),
        (["scheduler=exponential", "scheduler.interval=step"], lambda t: 0.9**t),
        (["scheduler=constant", "scheduler.warmup=12"], lambda t: np.minimum((t + 1) / 13, 1)),
        (
            ["scheduler=polynomial", "scheduler.warmup=1", "scheduler.warmup_interval=epoch"],
            lambda t: np.where(t < 10, (t + 1) / 11, 1 - (t - 10) / 13),
        ),
        (["scheduler=step", "scheduler.every=2"], lambda t: np.where(t < 15, 1, 0.1)),
    ],
)
def test_a_schedule_counts_the_steps_there_are(schedule, factor):
    """10, 5, 5 and 3 steps: the last of each epoch is 9, 14, 19 and 22 of 23."""
    run = trained(*TABLE, *GROWING, "epochs=4", "optimizer=sgd", "lr=0.1", *schedule)
    rates = [value for _, value in run.engine.history["train/lr"]]
    np.testing.assert_allclose(rates, 0.1 * factor(np.array([9, 14, 19, 22])), rtol=1e-12)


def test_plateaus_in_a_run():
    run = trained(*TABLE, *FLAT, "batch_size=16", "epochs=8", "batch_growth.largest=40")
    assert [int(size) for _, size in run.engine.history["train/batch_size"]] == [16, 16, 16, 32, 32, 40, 40, 40]
    assert run.trainer.global_step == run.engine.steps_done == run.parts.steps == 3 * 10 + 2 * 5 + 3 * 4


def test_a_chunk_keeps_its_rows_and_ends_where_a_checkpoint_is_due():
    split = Split(torch.arange(96.0).unsqueeze(1), torch.arange(96))
    pace = Pace(feed(checkpoint_every=5), milestones(1), 96, 2)
    loader, done = TrainingLoader(split, pace.feed, torch.device("cpu")), []
    for epoch, before in ((0, 0), (1, 12)):
        pace.begin(epoch, before)
        loader.begin(epoch, 0, pace.feed, pace.before)
        chunks = list(loader)
        assert torch.equal(torch.cat([chunk.targets for chunk in chunks]).sort().values, torch.arange(96))
        assert max(len(chunk.targets) for chunk in chunks) <= 96
        done += [before + chunk.first for chunk in chunks]
    assert done == [0, 5, 10, 12, 15]


def test_the_live_bar_ends_at_its_end():
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    config, parts = parts_of(*TABLE, *FLAT, "batch_size=16", "epochs=8")
    bar = LiveBar(console, parts.steps)
    assert parts.steps == 80
    fit(config, replace(parts, callbacks=[bar]))
    (task,) = bar._progress.tasks
    assert task.completed == task.total == 3 * 10 + 2 * 5 + 2 * 3 + 2


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["batch_size=5", "batch_growth=milestones"], None),  # 1,437 samples: 5 leaves 2, 10 leaves 7, 20 leaves 17
        (
            ["batch_size=359", "batch_growth=milestones", "epochs=12"],
            "batch_size: got 359, allowed a size that leaves no minibatch of one",
        ),
        (
            ["batch_size=2", "batch_growth=milestones", "batch_growth.milestones=[1]"],
            "batch_size: got 2, allowed a size that leaves no minibatch of one",
        ),
    ],
)
def test_a_lone_sample_at_any_size_that_is_reached(overrides, line):
    overrides = ["regularization=[batch_norm]", *overrides]
    if line is None:
        assert parts_of(*overrides)
        return
    with pytest.raises(UsageError) as refusal:
        parts_of(*overrides)
    assert str(refusal.value).startswith(line)
    assert len(str(refusal.value)) <= 200


def test_a_lone_sample_of_a_larger_size_is_named():
    growing = ("regularization=[batch_norm]", "batch_size=400", "batch_growth=plateau", "batch_growth.largest=718")
    with pytest.raises(UsageError, match=r"growth reaches 718: change it or set loader\.drop_last=true$"):
        parts_of(*growing)
    assert parts_of(*growing, "loader.drop_last=true")


def test_plateaus_reach_no_size_that_patience_does_not_allow():
    """A first epoch is an improvement, then at the earliest every second one lets them grow: 3 of 8 epochs do."""
    growing = stalling(2)
    for epoch in range(8):
        assert growing.times(epoch) in growing.reached(8)
        growing.epoch_end({"val/loss": 1.0})
    assert max(growing.reached(8)) == 3
    # 1,437 = 718 + 718 + 1, and 718 is the second size
    few = ("regularization=[batch_norm]", "batch_size=400", "batch_growth=plateau", "batch_growth.largest=718")
    assert parts_of(*few, "epochs=5", "batch_growth.patience=5")


def test_a_dry_run_counts_them(run_here):
    answer = run_here(["dry_run=true", "dataset=synthetic", "batch_growth=milestones", "batch_growth.milestones=[1]",
                       "epochs=2", "batch_size=100"])  # fmt: skip
    assert answer.code == 0 and "12 in 2 epochs" in answer.out
