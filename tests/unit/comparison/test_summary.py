"""Means, deviations and intervals against NumPy and SciPy."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from descent.comparison.summary import Summary, summarise, summarise_all, t_quantile

SAMPLES = [
    [0.1, 0.2],
    [0.95, 0.97, 0.96, 0.91, 0.99],
    [-3.0, 1e-9, 4e6],
    list(np.random.default_rng(0).normal(5, 2, 200)),
    list(np.random.default_rng(1).uniform(0.999999, 1.0, 30)),
]


@pytest.mark.parametrize("values", SAMPLES, ids=len)
def test_mean_and_deviation_are_numpys(values):
    found = summarise(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert found.std == pytest.approx(np.std(values, ddof=1), rel=1e-9)


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_scipys(values, confidence):
    found = summarise(values, confidence)
    expected = stats.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)


def test_of_seeds_with_a_table():
    assert t_quantile(0.975, 4) == pytest.approx(2.776445, abs=1e-6)  # as printed in any table
    assert summarise([1.0, 2.0, 3.0, 4.0, 5.0]).high == pytest.approx(3 + 2.776445 * math.sqrt(2.5 / 5), abs=1e-6)


def test_one_number_has_no_interval():
    assert summarise([0.3]) == Summary(1, 0.3, None, None, None)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.9722222089767456, 1e300])
@pytest.mark.parametrize("n", [2, 3, 7, 10])
def test_ties_have_no_deviation_at_all(value, n):
    assert summarise([value] * n) == Summary(n, value, 0.0, value, value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, math.nan], math.nan), ([math.inf, 1.0, 2.0], math.inf), ([math.inf, -math.inf], math.nan)],
)
def test_what_is_not_known_stays_so(values, expected):
    found = summarise(values)
    assert found.n == len(values) and np.array_equal(found.mean, expected, equal_nan=True)
    assert all(math.isnan(value) for value in (found.std, found.low, found.high))


def test_a_lone_nan():
    found = summarise([math.nan])
    assert math.isnan(found.mean) and found.std is None


def test_a_metric_counts_where_it_is():
    found = summarise_all([{"a": 1.0, "b": 5.0}, {"a": 3.0}])
    assert {name: (one.n, one.mean) for name, one in found.items()} == {"a": (2, 2.0), "b": (1, 5.0)}


def test_nothing_is_no_number():
    with pytest.raises(statistics.StatisticsError):
        summarise([])


def test_about_95_of_100_intervals_hold_the_mean():
    draws = np.random.default_rng(7).normal(1.0, 3.0, (4000, 5))
    holds = [found.low <= 1.0 <= found.high for found in map(summarise, draws.tolist())]
    assert 0.94 < np.mean(holds) < 0.96
