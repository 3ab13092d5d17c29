"""Time to a target against what can be counted by hand, and ranks against SciPy's own test."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from descent.comparison.grouping import Group
from descent.comparison.target import UNITS, curve_of, first_epoch, reached, sooner
from descent.errors import UsageError
from descent.tracking.reading import Stored

INF = math.inf


def stored(name, rows=1000, metrics=(), **params):
    settings = {"batch_size": "32", "accumulate": "1", **params}
    own = {"time/seconds": 8.0, "time/samples_per_second": 500.0, "model/multiply_adds": 10.0, **dict(metrics)}
    return Stored(name, name, "FINISHED", 0, settings, {}, own, rows)


CURVES = {
    "a0": [0.5, 0.8, 0.9, 0.95],
    "a1": [0.7, 0.9, 0.9, 0.9],
    "b0": [0.1, 0.2, 0.3, 0.4],
    "b1": [0.1, 0.2, 0.3, 0.9],
}
GROUPS = [Group(name, {seed: stored(f"{name}{seed}") for seed in range(2)}) for name in "ab"]


def history(run, metric):
    return list(enumerate(CURVES[run])) if metric == "val/accuracy" else []


@pytest.mark.parametrize(
    ("metric", "curve"),
    [
        ("test/accuracy", "val/accuracy"),
        ("best/val/loss", "val/loss"),
        ("final/train/loss", "train/loss"),
        ("val/f1", "val/f1"),
    ],
)
def test_what_has_a_curve(metric, curve):
    assert curve_of(metric) == curve


def test_epochs_steps_samples_seconds_and_work():
    found = reached(GROUPS, "test/accuracy", "maximize", 0.9, history)
    assert found.costs["a"] == [
        (3, 3 * 32, 3000, 8.0 * 3 / 4, 3 * 3000 * 10),  # 1000 samples are 32 minibatches, the last one smaller
        (2, 2 * 32, 2000, 8.0 * 2 / 4, 3 * 2000 * 10),
    ]
    assert found.costs["b"][0] == (INF,) * len(UNITS)
    assert found.medians("a")[0] == 2.5 and found.medians("b")[0] == INF
    assert (found.share("a"), found.share("b")) == ((2, 2), (1, 2))


def test_a_baseline_is_the_median_of_what_its_runs_come_to():
    assert reached(GROUPS, "test/accuracy", "maximize", "a", history).target == pytest.approx((0.95 + 0.9) / 2)
    with pytest.raises(UsageError, match=r"baseline: got c, allowed a \| b"):
        reached(GROUPS, "test/accuracy", "maximize", "c", history)


def test_a_metric_without_a_curve():
    with pytest.raises(UsageError, match="no run has val/auc"):
        reached(GROUPS, "test/auc", "maximize", 0.9, history)


@pytest.mark.parametrize(
    ("params", "steps"),
    [
        ({}, 32),
        ({"accumulate": "3"}, 11),
        ({"loader.drop_last": "True"}, 31),
        ({"batch_size": "full"}, 1),
        ({"batch_size": "1000"}, 1),
    ],
)
def test_steps_of_an_epoch(params, steps):
    group = Group("a", {0: stored("b1", **params), 1: stored("a1", **params)})
    assert reached([group], "val/accuracy", "maximize", 0.7, history).costs["a"][1][1] == steps


def test_growing_minibatches():
    sizes = [(0, 100.0), (1, 200.0), (2, 500.0)]
    grown = Group("a", {0: stored("a0", metrics={"train/batch_size": 500.0})})
    found = reached([grown], "val/accuracy", "maximize", 0.9, lambda *ask: history(*ask) or sizes)
    assert found.costs["a"][0][1] == 10 + 5 + 2


def test_what_was_not_recorded_is_not_known():
    old = Group("a", {0: Stored("a0", "a0", "FINISHED", 0, {}, {}, {}, None)})
    row = reached([old], "val/accuracy", "maximize", 0.9, history).costs["a"][0]
    assert row[0] == 3 and all(map(math.isnan, row[1:]))


@pytest.mark.parametrize(("direction", "epoch"), [("maximize", 2), ("minimize", 0)])
def test_at_the_target_is_there(direction, epoch):
    curve = [(0, 0.2), (1, math.nan), (2, 0.5)]
    assert first_epoch(curve, 0.5, direction) == epoch
    assert first_epoch(curve, 0.6 if direction == "maximize" else 0.1, direction) is None


@pytest.mark.parametrize("seed", range(4))
def test_ranks_are_mann_and_whitneys(seed):
    random = np.random.default_rng(seed)
    a, b = random.permutation(20)[:5].astype(float), random.permutation(20)[:6] + 3.5
    assert sooner(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


def test_ties_and_misses_are_counted_out():
    a, b = [1.0, 2.0, 2.0, INF], [2.0, INF, INF, INF]
    ranks = stats.rankdata([*a, *b])
    sums = np.array([ranks[list(one)].sum() for one in itertools.combinations(range(8), 4)])
    expected = 2 * np.mean(sums <= ranks[:4].sum())
    assert sooner(a, b) == pytest.approx(min(1.0, expected))


def test_where_nothing_can_be_ranked():
    assert sooner([INF, INF], [INF, INF]) == 1.0
    assert sooner([1.0], [2.0, 3.0]) is None
