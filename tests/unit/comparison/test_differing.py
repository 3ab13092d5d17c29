"""What two trainings have not in common: found wherever it is planted, and nowhere else."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from descent.comparison import showing
from descent.comparison.account import Account
from descent.comparison.differing import differences
from descent.identity import Identity

IDENTITY = Identity(
    settings={"seed": 0, "lr": 0.1, "batch_size": 32, "precision": 32, "model._target_": "descent.models.mlp.MLP"},
    epochs=2,
    code={"engine.py": "a", "assembly.py": "b"},
    data="d" * 64,
    torch="2.14.1",
    device="cpu",
)
RUN = Account(
    local_id="1" * 32,
    name="one",
    directory=Path("one"),
    identity=IDENTITY,
    source={"commit": "c" * 40, "dirty": False, "diff_sha256": "e" * 64},
    environment={"torch": "2.14.1", "numpy": "2.0", "cpu": "Some CPU", "host": "here", "python": "3.11.7"},
    resolved={"threads": 1, "device": "cpu", "device_name": "x86_64", "samples": 96},
    history={"train/loss": ((0, 1.0), (1, 0.5)), "val/loss": ((0, 1.1), (1, 0.6))},
    losses=np.linspace(2, 1, 6, dtype=np.float32),
    metrics={"test/accuracy": 0.9, "time/seconds": 3.0},
    weights_sha256="w",
    predictions_sha256="p",
    epochs=2,
    stopped_because=None,
)


def identity(**changed):
    return replace(RUN, identity=replace(IDENTITY, **changed))


def setting(**changed):
    return identity(settings={**IDENTITY.settings, **changed})


def environment(**changed):
    return replace(RUN, environment={**RUN.environment, **changed})


def resolved(**changed):
    return replace(RUN, resolved={**RUN.resolved, **changed})


PLANTED = {
    "seed": (setting(seed=1), "seed: seed 0 → 1"),
    "rate": (setting(lr=0.2), "configuration: lr 0.1 → 0.2"),
    "batch size": (setting(batch_size=16), "configuration: batch_size 32 → 16"),
    "precision": (setting(precision="64"), "precision: precision 32 → 64"),
    "model": (setting(**{"model._target_": "descent.models.cnn.CNN"}), "configuration: model MLP → CNN"),
    "epochs": (identity(epochs=3), "configuration: epochs 2 → 3"),
    "line of code": (identity(code={"engine.py": "z", "assembly.py": "b"}), "code: engine.py"),
    "file of code": (identity(code={"engine.py": "a"}), "code: assembly.py"),
    "data": (identity(data="f" * 64), "data: digest dddddddddddd → ffffffffffff"),
    "threads": (resolved(threads=2), "threads: threads 1 → 2"),
    "device": (resolved(device="cuda"), "device: device cpu → cuda"),
    "library": (environment(torch="2.15.0"), "library version: torch 2.14.1 → 2.15.0"),
    "processor": (environment(cpu="Another CPU"), "CPU: cpu Some CPU → Another CPU"),
    "card": (environment(gpu="H100"), "device: gpu nothing → H100"),
    "library that is gone": (environment(numpy="1.26"), "library version: numpy 2.0 → 1.26"),
}


@pytest.mark.parametrize(("other", "line"), PLANTED.values(), ids=PLANTED)
def test_a_planted_change_is_named(other, line):
    assert [change.shown for change in differences(RUN, other).causes] == [line]


def test_a_run_is_identical_to_itself():
    found = differences(RUN, RUN)
    assert found.identical and not found.causes


def test_what_decides_comes_before_what_cannot():
    other = replace(setting(seed=1), environment={**RUN.environment, "host": "there", "torch": "3"})
    assert [change.what for change in differences(RUN, other).causes] == ["seed", "torch", "host"]


def test_the_diff_of_the_code_is_told_by_its_digest():
    dirty = {"commit": "c" * 40, "dirty": True, "diff_sha256": "f" * 64}
    other = replace(identity(code={}), source=dirty)
    line = next(change.shown for change in differences(RUN, other).causes)
    assert line == "code: assembly.py, engine.py cccccccccccc → cccccccccccc with diff ffffffffffff"


def with_losses(*values):
    return replace(RUN, losses=np.array(values, dtype=np.float32))


@pytest.mark.parametrize(("step", "epoch"), [(1, 1), (3, 1), (4, 2), (6, 2)])
def test_the_first_step_and_its_epoch(step, epoch):
    losses = RUN.losses.copy()
    losses[step - 1] += 0.25
    losses[-1] += 1
    found = differences(RUN, replace(RUN, losses=losses)).step
    assert (found.step, found.epoch) == (step, epoch)


def test_one_bit_is_a_difference():
    losses = RUN.losses.copy()
    losses[2] = np.nextafter(losses[2], np.float32(9))
    found = differences(RUN, replace(RUN, losses=losses)).step
    assert found.step == 3 and 0 < found.by < 1e-6


def test_a_nan_equals_itself():
    run = with_losses(1.0, math.nan)
    assert differences(run, run).step is None


@pytest.mark.parametrize(("a", "b", "word"), [((1, 2, 3), (1, 2), "first"), ((1, 2), (1, 2, 3), "second")])
def test_a_shorter_run_says_so(a, b, word):
    found = differences(with_losses(*a), with_losses(*b))
    assert found.step.step == 3
    assert f"only the {word} has losses" in next(showing.outcome(RUN, found))


def test_a_growing_batch_moves_the_ends_of_epochs():
    history = {**RUN.history, "train/batch_size": ((0, 32), (1, 96))}
    run = replace(RUN, history=history, losses=np.zeros(4, np.float32))
    assert [run.epoch_of(step) for step in range(4)] == [0, 0, 0, 1]


def test_a_metric_is_told_with_its_first_epoch_and_its_worst():
    other = replace(RUN, history={**RUN.history, "val/loss": ((0, 1.2), (1, 0.1))})
    (curve,) = differences(RUN, other).curves
    assert (curve.metric, curve.epoch, curve.a, curve.b) == ("val/loss", 1, 1.1, 1.2)
    assert curve.most == pytest.approx(0.5)


def test_a_metric_that_only_one_has_differs():
    (curve,) = differences(RUN, replace(RUN, history={"train/loss": RUN.history["train/loss"]})).curves
    assert curve.metric == "val/loss" and math.isnan(curve.b)


def test_the_clock_is_no_difference():
    assert differences(RUN, replace(RUN, metrics={**RUN.metrics, "time/seconds": 9.0})).identical


@pytest.mark.parametrize("name", ["weights_sha256", "predictions_sha256"])
def test_a_digest_alone_is_a_difference(name):
    assert not differences(RUN, replace(RUN, **{name: "other"})).identical


def test_a_result_alone_is_a_difference():
    found = differences(RUN, replace(RUN, metrics={**RUN.metrics, "test/accuracy": 0.8}))
    assert not found.identical and found.results == (("test/accuracy", 0.9, 0.8),)


def test_nothing_recorded_is_said():
    found = differences(RUN, replace(RUN, weights_sha256="other"))
    assert "nothing that was recorded differs" in "\n".join(showing.causes(found))
