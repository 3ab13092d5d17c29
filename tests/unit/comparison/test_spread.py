"""A row's figures against NumPy and SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from descent.comparison.spread import expanded, resampled_interval, spread

SAMPLES = [list(np.random.default_rng(n).normal(5, 2, n)) for n in (2, 5, 8, 13, 40)]


@pytest.mark.parametrize("values", SAMPLES, ids=len)
def test_median_best_and_interval(values):
    found = spread(values, "maximize")
    assert found.median == pytest.approx(np.median(values), rel=1e-12)
    assert (found.best, spread(values, "minimize").best) == (max(values), min(values))
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.summary.low, found.summary.high) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("values", [*SAMPLES[2:], [1.0] * 9, [0.0, 1.0] * 6], ids=len)
def test_the_resampled_interval_is_scipys_at_its_own_confidence(values):
    random = np.random.default_rng(3)
    means = random.choice(values, (200_000, len(values))).mean(axis=1)
    tail = (1 - expanded(len(values))) / 2
    assert resampled_interval(values) == pytest.approx(np.quantile(means, [tail, 1 - tail]), abs=0.12)


@pytest.mark.parametrize("n", [8, 20, 1000])
def test_of_normal_values_percentiles_so_far_out_are_students(n):
    """Resampled means of normal values have the variance of n, not n - 1."""
    tail = (1 - expanded(n)) / 2
    far = -stats.norm.ppf(tail) * math.sqrt((n - 1) / n)
    assert far == pytest.approx(stats.t.ppf(0.975, n - 1), rel=1e-9)


def test_few_values_are_not_resampled():
    assert resampled_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) is None


def test_what_is_not_finite_is_missing():
    found = spread([math.nan, 1.0, math.inf, 3.0], "minimize")
    assert (found.n, found.missing, found.median, found.best) == (2, 2, 2.0, 1.0)


def test_of_nothing_there_is_nothing():
    found = spread([math.nan], "minimize")
    assert (found.n, found.missing, found.summary, found.median, found.best) == (0, 1, None, None, None)


def test_one_value():
    found = spread([0.3], "maximize")
    assert (found.n, found.median, found.best, found.summary.low, found.resampled) == (1, 0.3, 0.3, None, None)
