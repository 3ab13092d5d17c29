"""Schedules against closed forms, Plateau against the rule that Keras documents."""

import math

import numpy as np
import pytest

from descent.errors import UsageError
from descent.optim.plateau import Plateau
from descent.optim.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Multistep,
    OneCycle,
    Polynomial,
    Step,
)
from descent.optim.warmup import WarmUp
from descent.regularization.early_stopping import EarlyStopping
from reference.trained import TABLE, trained

TOTAL = 40


def cosine(top, bottom, done):
    """The half wave between two values, by its double angle."""
    return bottom + (top - bottom) * np.cos(np.pi * done / 2) ** 2


T = np.arange(TOTAL + 1)
# a schedule, and its factors at every position of a run of 40
FORMS = {
    "constant": (Constant(), np.ones(TOTAL + 1)),
    "step": (Step(10, 0.1, "epoch"), np.repeat([1, 1e-1, 1e-2, 1e-3, 1e-4], 10)[: TOTAL + 1]),
    "multistep": (Multistep([5, 20, 21], 0.5, "step"), np.select([T < 5, T < 20, T < 21], [1, 0.5, 0.25], 0.125)),
    "unordered": (Multistep([20, 5, 21], 0.5, "step"), np.select([T < 5, T < 20, T < 21], [1, 0.5, 0.25], 0.125)),
    "exponential": (Exponential(0.9, "epoch"), np.exp(T * np.log(0.9))),
    "inverse time": (InverseTime(0.25, "step"), 4 / (4 + T)),
    "line": (Polynomial(1.0, 0.0, "step"), np.linspace(1, 0, TOTAL + 1)),
    "polynomial": (Polynomial(2.0, 0.1, "step"), 0.1 + 0.9 * np.linspace(1, 0, TOTAL + 1) ** 2),
    "cosine": (Cosine(0.0, "step"), cosine(1, 0, T / TOTAL)),
    "cosine to a minimum": (Cosine(0.2, "step"), cosine(1, 0.2, T / TOTAL)),
    "restarts": (CosineRestarts(8, 1, 0.1, "step"), cosine(1, 0.1, T % 8 / 8)),
    "longer restarts": (
        CosineRestarts(5, 2, 0.0, "epoch"),
        np.select([T < 5, T < 15, T < 35], [cosine(1, 0, (T - a) / n) for a, n in ((0, 5), (5, 10), (15, 20))], 0)
        + (T >= 35) * cosine(1, 0, (T - 35) / 40),
    ),
    "one cycle": (
        OneCycle(0.04, 0.25, 0.01, "step"),
        np.where(T < 10, cosine(0.04, 1, T / 10), cosine(1, 0.01, (T - 10) / 30)),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_schedule_is_its_closed_form(name):
    schedule, expected = FORMS[name]
    np.testing.assert_allclose([schedule.factor(int(t), TOTAL) for t in T], expected, atol=1e-12)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("length", [1, 7])
def test_a_warm_up_in_front_of_any(name, length):
    """A straight line up to where the schedule begins, then the schedule over what is left."""
    schedule, _ = FORMS[name]
    per_epoch = 4 if schedule.interval == "epoch" else 1
    warm = WarmUp(schedule, length, "step", 4)
    assert warm.interval == "step"
    factors = [warm.factor(t, TOTAL) for t in range(TOTAL)]
    left = -(-(TOTAL - length) // per_epoch)
    line = schedule.factor(0, left) * np.arange(1, length + 1) / (length + 1)
    rest = [schedule.factor(t // per_epoch, left) for t in range(TOTAL - length)]
    np.testing.assert_allclose(factors, [*line, *rest], atol=1e-12)


def test_a_warm_up_by_epochs():
    warm = WarmUp(Cosine(0.0, "step"), 2, "epoch", 4)  # four steps an epoch
    line = np.arange(1, 9) / 9
    np.testing.assert_allclose([warm.factor(t, 40) for t in range(40)], [*line, *cosine(1, 0, np.arange(32) / 32)])


def test_a_plateau_does_not_count_while_it_warms_up():
    warm = WarmUp(plateau(patience=1), 6, "step", 4)
    cuts = []
    for epoch in range(5):
        factors = [warm.factor(4 * epoch + step, 40) for step in range(4)]
        cuts.append(factors[-1])
        warm.epoch_end({"val/loss": 1.0})
    np.testing.assert_allclose(cuts, [4 / 7, 1, 1, 0.1, 0.01])  # epoch 1 is the first that counts, 2 the first bad one


def keras(values, direction, patience, min_delta):
    """Epochs at which ReduceLROnPlateau(patience, min_delta, cooldown=0) acts, by its documentation."""
    best, wait, acted = (math.inf if direction == "minimize" else -math.inf), 0, []
    for epoch, value in enumerate(values):
        improved = value < best - min_delta if direction == "minimize" else value > best + min_delta
        if improved:
            best, wait = value, 0
            continue
        wait += 1
        if wait >= patience:
            acted.append(epoch)
            wait = 0
    return acted


NAN = float("nan")
SEQUENCES = {
    "falling": [5, 4, 3, 2, 1, 0.5],
    "flat": [1] * 9,
    "rising": [1, 2, 3, 4, 5, 6, 7],
    "within the margin": [1, 0.95, 0.91, 0.905, 0.5, 0.45, 0.42],
    "recovering": [3, 4, 2, 5, 5, 1, 6, 6, 6, 6],
    "undefined": [NAN, 3, NAN, NAN, 2, NAN, NAN, NAN],
}


def plateau(direction="minimize", patience=2, threshold=0.0, minimum=0.0, factor=0.1, mode="absolute"):
    return Plateau("val/loss", direction, factor, patience, threshold, minimum, "epoch", mode)


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_plateau_and_early_stopping_count_as_keras_does(name, direction, patience, margin):
    values = [value if direction == "minimize" else -value for value in SEQUENCES[name]]
    expected = keras(values, direction, patience, margin)
    schedule, cuts = plateau(direction, patience, margin), []
    for epoch, value in enumerate(values):
        before = schedule.factor(epoch, 0)
        schedule.epoch_end({"val/loss": value})
        cuts += [epoch] if schedule.factor(epoch, 0) < before else []
    assert cuts == expected
    stopping = EarlyStopping("val/loss", direction, patience, margin)
    reasons = [stopping.epoch_end(epoch, {"val/loss": value}) for epoch, value in enumerate(values)]
    assert next((epoch for epoch, reason in enumerate(reasons) if reason), None) == next(iter(expected), None)


@pytest.mark.parametrize(
    ("direction", "values", "expected"),
    [
        ("minimize", [100, 95, 89, 81, 80], [1, 3]),  # a tenth of the best: 90, then 80.1
        ("maximize", [100, 105, 111, 120, 123], [1, 3]),  # 110, then 122.1
        ("maximize", [-1.0, -0.95, -0.85, -0.8], [1, 3]),  # of its size, whatever its sign
        ("minimize", [0.0, 0.0, -0.1, -0.105], [1, 3]),
    ],
)
def test_a_relative_threshold(direction, values, expected):
    schedule, cuts = plateau(direction, 1, 0.1, mode="relative"), []
    for epoch, value in enumerate(values):
        before = schedule.factor(epoch, 0)
        schedule.epoch_end({"val/loss": value})
        cuts += [epoch] if schedule.factor(epoch, 0) < before else []
    assert cuts == expected


def test_plateau_multiplies_down_to_its_minimum():
    schedule, factors = plateau(patience=1, minimum=0.02), []
    for _ in range(5):
        schedule.epoch_end({"val/loss": 1.0})
        factors.append(schedule.factor(0, 0))
    np.testing.assert_allclose(factors, [1, 0.1, 0.02, 0.02, 0.02])


@pytest.mark.parametrize("make", [plateau, lambda: EarlyStopping("val/loss", "minimize", 2, 0.0)])
def test_an_epoch_without_the_metric_does_not_count(make):
    thing = make()
    before = thing.state_dict()
    thing.epoch_end(*([{}] if isinstance(thing, Plateau) else [0, {}]))
    assert thing.state_dict() == before


@pytest.mark.parametrize("cut", range(6))
def test_plateau_goes_on_from_its_state(cut):
    values = SEQUENCES["recovering"]
    whole, first, second = plateau(), plateau(), plateau()
    for value in values:
        whole.epoch_end({"val/loss": value})
    for value in values[:cut]:
        first.epoch_end({"val/loss": value})
    second.load_state_dict(first.state_dict())
    for value in values[cut:]:
        second.epoch_end({"val/loss": value})
    assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["scheduler=constant"], [0.1] * 4),
        (["scheduler=step", "scheduler.every=2", "scheduler.gamma=0.5"], [0.1, 0.1, 0.05, 0.05]),
        (["scheduler=step", "scheduler.every=10", "scheduler.interval=step"], [0.1, 0.01, 0.001, 0.0001]),
        (["scheduler=cosine", "scheduler.interval=epoch"], [0.05 * (1 + math.cos(math.pi * k / 4)) for k in range(4)]),
        (["scheduler=exponential", "scheduler.gamma=0.5"], [0.1, 0.05, 0.025, 0.0125]),
        (["scheduler=inverse_time", "scheduler.k=1"], [0.1, 0.05, 0.1 / 3, 0.025]),
        (["scheduler=multistep", "scheduler.milestones=[1,3]"], [0.1, 0.01, 0.01, 0.001]),
        (["scheduler=polynomial"], [0.1 * (1 - (10 * k + 9) / 40) for k in range(4)]),
        (["scheduler=constant", "scheduler.warmup=15"], [0.1 * 10 / 16, 0.1, 0.1, 0.1]),
        (
            ["scheduler=constant", "scheduler.warmup=2", "scheduler.warmup_interval=epoch"],
            [0.1 * 10 / 21, 0.1 * 20 / 21, 0.1, 0.1],
        ),
        (["scheduler=exponential", "scheduler.gamma=0.5", "scheduler.warmup=10"], [0.1 * 10 / 11, 0.1, 0.05, 0.025]),
        (["scheduler=cosine"], [0.05 * (1 + math.cos(math.pi * (10 * k + 9) / 40)) for k in range(4)]),
    ],
)
def test_the_rate_of_a_run(overrides, expected):
    """Ten steps an epoch; `train/lr` is that of an epoch's last step."""
    run = trained(*TABLE, "batch_size=16", "epochs=4", "optimizer=sgd", "lr=0.1", *overrides)
    np.testing.assert_allclose([value for _, value in run.engine.history["train/lr"]], expected)


def test_plateau_in_a_run():
    run = trained(
        *TABLE, "epochs=12", "optimizer=sgd", "lr=1e-9", "scheduler=plateau", "scheduler.patience=3", "restore=last"
    )
    rates = [value for _, value in run.engine.history["train/lr"]]
    values = [value for _, value in run.engine.history["val/accuracy"]]
    cuts = keras(values, "maximize", 3, 1e-4)
    assert cuts, "nothing is learnt at such a rate"
    np.testing.assert_allclose(rates, [1e-9 * 0.1 ** sum(cut < epoch for cut in cuts) for epoch in range(12)])


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["scheduler.warmup=4", "scheduler.warmup_interval=epoch", "epochs=4"],
            "scheduler.warmup: got 4, allowed 0 to 3, below epochs",
        ),
        (["scheduler.warmup=3", "optimizer=rprop"], "scheduler.warmup: got 3, allowed 0 with optimizer=rprop"),
        (["scheduler=multistep", "scheduler.milestones=[]"], "scheduler.milestones: got [], allowed list, not empty"),
        (["scheduler=plateau", "scheduler.monitor=val/los"], "scheduler.monitor: got val/los"),
        (["scheduler=one_cycle", "scheduler.rise=1"], "scheduler.rise: got 1, allowed float (0, 1)"),
    ],
)
def test_what_is_refused(composed, overrides, line):
    with pytest.raises(UsageError) as refusal:
        composed(*overrides)
    assert str(refusal.value).startswith(line)
