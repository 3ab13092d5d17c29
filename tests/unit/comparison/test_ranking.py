"""Chances of being first against closed forms; profiles against what can be counted by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from descent.comparison.ranking import chances_of_first, profile_bands, profiles, ranking

INF = math.inf
NOT_TOLD = pytest.approx(math.nan, nan_ok=True)  # single runs say nothing of how sure a rank is


def test_of_two_large_groups_it_is_the_normal_distributions():
    random = np.random.default_rng(0)
    a, b = random.normal(0.1, 1.0, 400), random.normal(0.0, 1.0, 400)
    found = chances_of_first({"a": a, "b": b}, "maximize")
    error = math.sqrt(a.var(ddof=1) / 400 + b.var(ddof=1) / 400)
    assert found["a"] == pytest.approx(stats.norm.cdf((a.mean() - b.mean()) / error), abs=0.01)
    assert chances_of_first({"a": a, "b": b}, "minimize")["b"] == pytest.approx(found["a"], abs=0.01)


def test_against_a_constant_it_is_students():
    values = [0.1, 0.4, 0.2, 0.6]
    expected = stats.t.cdf((np.mean(values) - 0.2) / stats.sem(values), 3)
    assert chances_of_first({"a": values, "b": [0.2] * 5}, "maximize")["a"] == pytest.approx(expected, abs=0.01)


def test_who_ties_shares():
    found = chances_of_first({"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [0.5, 0.5]}, "maximize")
    assert found == {"a": 0.5, "b": 0.5, "c": 0.0}


def test_a_single_run_has_no_part():
    assert chances_of_first({"a": [1.0], "b": [0.1, 0.2], "c": [math.nan, 3.0]}, "maximize") == {"b": 1.0}
    assert chances_of_first({"a": [1.0]}, "maximize") == {}


@pytest.mark.parametrize("size", [2, 5, 10])
def test_the_chances_are_of_one(size):
    random = np.random.default_rng(size)
    groups = {str(number): random.normal(0, 1, 4) for number in range(size)}
    assert sum(chances_of_first(groups, "minimize").values()) == pytest.approx(1.0)


COSTS = {
    "a": {"x": [10.0, 12.0, 11.0], "y": [5.0], "z": [INF, INF, 4.0]},
    "b": {"x": [22.0], "y": [4.0, INF, 6.0], "z": [INF]},
}


def test_a_profile_counts_workloads():
    assert profiles(COSTS, [1, 1.2, 2, 100]) == {
        "a": pytest.approx([2 / 3, 2 / 3, 2 / 3, 2 / 3]),  # first on x and y; its median on z is a miss
        "b": pytest.approx([0, 1 / 3, 2 / 3, 2 / 3]),  # 22 / 11 on x, 6 / 5 on y
    }


def test_nobody_solves_what_nobody_reaches():
    assert profiles({"a": {"x": [INF]}, "b": {"x": []}, "c": {}}, [1, 1e9]) == {"a": [0, 0], "b": [0, 0], "c": [0, 0]}


def test_nothing_to_do_is_the_least_that_can_be():
    assert profiles({"a": {"x": [0.0]}, "b": {"x": [1.0]}}, [1, 50]) == {"a": [1, 1], "b": [0, 0]}


def test_a_band_without_spread_is_the_profile():
    costs = {"a": {"x": [3.0, 3.0], "y": [4.0]}, "b": {"x": [6.0], "y": [2.0]}}
    for group, shares in profiles(costs, [1, 2]).items():
        assert profile_bands(costs, [1, 2])[group] == [(share, share) for share in shares]


def test_a_band_holds_the_profile():
    bands, found = profile_bands(COSTS, [1, 2, 10]), profiles(COSTS, [1, 2, 10])
    assert all(
        low <= share <= high for name in COSTS for (low, high), share in zip(bands[name], found[name], strict=True)
    )
    assert bands["b"][1] == (0.0, pytest.approx(2 / 3))  # a's draws on y, b's misses


def test_ranks_are_counted_on_each_workload():
    costs = {
        "a": {"x": [1.0], "y": [5.0], "z": [INF]},
        "b": {"x": [2.0], "y": [5.0], "z": [3.0]},
        "c": {"x": [9.0], "y": [INF], "z": [INF]},
    }
    assert ranking(costs) == {
        "b": (pytest.approx((2 + 1.5 + 1) / 3), NOT_TOLD),
        "a": (pytest.approx((1 + 1.5 + 2.5) / 3), NOT_TOLD),
        "c": (pytest.approx((3 + 3 + 2.5) / 3), NOT_TOLD),
    }
    assert list(ranking(costs)) == ["b", "a", "c"]


def test_the_chance_of_the_lowest_rank_is_that_of_all_draws():
    """Two workloads, two repeats each: every way of drawing the repeats anew, counted out."""
    costs = {"a": {"x": [1.0, 4.0], "y": [2.0, 6.0]}, "b": {"x": [2.0, 3.0], "y": [3.0, 5.0]}}
    pairs = [list(itertools.product(costs[group][load], repeat=2)) for load in "xy" for group in "ab"]
    wins = 0.0
    for draw in itertools.product(*pairs):
        a_x, b_x, a_y, b_y = map(np.mean, draw)
        ahead = np.sign(b_x - a_x) + np.sign(b_y - a_y)
        wins += 1.0 if ahead > 0 else 0.5 if ahead == 0 else 0.0
    expected = wins / math.prod(map(len, pairs))
    assert ranking(costs)["a"][1] == pytest.approx(expected, abs=0.05)
    assert sum(chance for _, chance in ranking(costs).values()) == pytest.approx(1.0)


def test_profiles_are_those_of_a_plain_loop():
    random = np.random.default_rng(5)
    costs = {
        group: {load: random.integers(1, 30, random.integers(1, 5)).astype(float).tolist() for load in "uvwxyz"}
        for group in "abcd"
    }
    factors = [1.0, 1.5, 2.0, 4.0, 30.0]
    for group, shares in profiles(costs, factors).items():
        for factor, share in zip(factors, shares, strict=True):
            near = [
                np.median(costs[group][load]) <= factor * min(np.median(own[load]) for own in costs.values())
                for load in "uvwxyz"
            ]
            assert share == pytest.approx(np.mean(near))
