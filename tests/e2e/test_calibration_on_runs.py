"""Real trainings of one configuration: a comparison of some of them with others seldom calls them different."""

import math

import numpy as np
import pytest

from descent import assembly
from descent.comparison.contrast import contrast
from descent.comparison.target import sooner
from descent.config import varied
from descent.reproducibility import computing
from reference.trained import QUIET, fit, parts_of

RUNS, PAIRS, SIZE, ALPHA = 300, 200, 5, 0.05
TINY = (*QUIET, "dataset=digits", "model.hidden=[8]", "batch_size=128", "epochs=2", "lr=0.01")


@pytest.fixture(scope="module")
def measured():
    """What digits runs came to that differ in their seed alone, and when they came to an accuracy of 60%."""
    config, _ = parts_of(*TINY)
    data = assembly.load(config)
    values, epochs = [], []
    for seed in range(RUNS):
        own = varied(config, seed=seed)
        with computing(1, True):
            parts = assembly.assemble(own, data)
        done = fit(own, parts)
        values.append(done.outcome.metrics["test/accuracy"])
        came = [epoch for epoch, value in done.engine.history["val/accuracy"] if value >= 0.6]
        epochs.append(came[0] + 1.0 if came else math.inf)
    return np.array(values), np.array(epochs)


def pairs(count=PAIRS):
    """Places of the runs of two groups, no run in both."""
    random = np.random.default_rng(1)
    return [random.permutation(RUNS)[: 2 * SIZE].reshape(2, SIZE) for _ in range(count)]


def most(trials):
    """The share that is allowed, and three of its standard errors."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials)


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
def test_the_same_configuration_seldom_differs_from_itself(measured, paired):
    values, _ = measured
    assert np.ptp(values) > 0.05  # the seeds make a difference
    found = []
    for first, second in pairs():
        units = (range(SIZE), range(SIZE)) if paired else (first.tolist(), second.tolist())
        samples = [
            dict(zip(unit, values[one].tolist(), strict=True)) for unit, one in zip(units, (first, second), strict=True)
        ]
        one = contrast(*samples)
        assert one.paired == paired
        found.append((one.p < ALPHA, one.permutation_p < ALPHA, one.low <= 0 <= one.high))
    by_t, by_permutation, covered = np.mean(found, axis=0)
    assert by_t <= most(PAIRS) and by_permutation <= most(PAIRS)
    assert covered >= 1 - most(PAIRS)


@pytest.mark.slow
def test_nobody_is_sooner_than_itself(measured):
    _, epochs = measured
    found = [sooner(epochs[first].tolist(), epochs[second].tolist()) for first, second in pairs()]
    assert np.mean([p < ALPHA for p in found]) <= most(PAIRS)
