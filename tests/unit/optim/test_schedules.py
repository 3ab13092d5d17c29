"""Schedules against closed forms, Plateau against the rule that Keras documents."""

import math

import numpy as np
import pytest

from descent.optim.schedules import Constant, Cosine, Plateau, Step
from descent.regularization.early_stopping import EarlyStopping
from reference.trained import TABLE, trained


def test_closed_forms():
    for position in range(41):
        assert Constant().factor(position, 40) == 1
        assert Step(10, 0.1, "epoch").factor(position, 40) == pytest.approx(10.0 ** -(position // 10))
        angle = math.cos(math.pi * position / 40)
        assert Cosine(0.0, "step").factor(position, 40) == pytest.approx(0.5 + 0.5 * angle)
        assert Cosine(0.2, "step").factor(position, 40) == pytest.approx(0.2 + 0.8 * (0.5 + 0.5 * angle))
    assert Cosine(0.2, "step").factor(0, 40) == 1 and Cosine(0.2, "step").factor(40, 40) == pytest.approx(0.2)


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


def plateau(direction="minimize", patience=2, threshold=0.0, minimum=0.0, factor=0.1):
    return Plateau("val/loss", direction, factor, patience, threshold, minimum, "epoch")


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
