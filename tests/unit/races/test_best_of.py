"""The best of k points against all ways to take them, and bands against what they are the bands of."""

from itertools import combinations

import numpy as np
import pytest

from descent.races.best_of import bands, expected_best

VALUES = np.random.default_rng(0).normal(size=7).tolist()


@pytest.mark.parametrize(("direction", "best"), [("maximize", max), ("minimize", min)])
@pytest.mark.parametrize("values", [VALUES, [1.0, 1.0, 3.0, 3.0], [2.0]], ids=["seven", "ties", "one"])
def test_it_is_the_mean_over_all_ways_to_take_k(values, direction, best):
    expected = [np.mean([best(some) for some in combinations(values, k)]) for k in range(1, len(values) + 1)]
    assert expected_best(values, direction) == pytest.approx(expected)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_band_of_one_point_is_that_of_a_resampled_mean(direction):
    values = np.random.default_rng(1).normal(size=200)
    low, high = bands(values.tolist(), direction)[0]
    half = 1.96 * values.std() / np.sqrt(200)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_the_last_band_ends_at_the_best():
    (_, high), best = bands(VALUES, "maximize")[-1], max(VALUES)
    assert high == best
    pairs = zip(expected_best(VALUES, "maximize"), bands(VALUES, "maximize"), strict=True)
    assert all(low <= one <= high for one, (low, high) in list(pairs)[:4])


def test_equal_values_have_no_band():
    assert bands([0.5] * 4, "maximize") == [(0.5, 0.5)] * 4
