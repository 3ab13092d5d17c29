"""Ranks and their chances against closed forms and what can be counted by hand; times to a target too."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from descent.races import standing
from descent.races.race import Race, Try
from reference.raced import EVIL, raced


def of_scores(scores, direction="maximize") -> Race:
    """Value → workload → what its repeats came to."""
    tries = [
        Try(0, workload, value, {}, score, again=True)
        for value, rows in scores.items()
        for workload, row in rows.items()
        for score in row
    ]
    workloads = list(next(iter(scores.values())))
    return Race("r", "val/accuracy", direction, workloads, list(scores), (), tries, 1, 2)


def test_ranks_are_means_over_workloads_and_ties_share():
    race = of_scores({"a": {"x": [0.9], "y": [0.5]}, "b": {"x": [0.9], "y": [0.6]}, "c": {"x": [0.1], "y": []}})
    assert standing.mean_ranks(race) == {"a": 1.75, "b": 1.25, "c": 3.0}
    assert standing.mean_ranks(replace(race, direction="minimize"))["c"] == 2.0


def test_on_one_workload_the_chance_is_students():
    values = [0.1, 0.4, 0.2, 0.6]
    expected = stats.t.cdf((sum(values) / 4 - 0.2) / stats.sem(values), 3)
    race = of_scores({"a": {"x": values}, "b": {"x": [0.2 + 1e-9, 0.2]}})
    found = standing.chances_of_first(race)
    assert found["a"] == pytest.approx(expected, abs=0.01)
    assert sum(found.values()) == pytest.approx(1.0)


def test_each_best_on_one_workload_share_the_first_place():
    high, low = [1, 1 + 1e-9], [0, 1e-9]
    race = of_scores({"a": {"x": high, "y": low}, "b": {"x": low, "y": high}, "c": {"x": high, "y": [1]}})
    assert standing.chances_of_first(race) == {"a": 0.5, "b": 0.5}


def test_equal_results_are_no_certainty():
    """Of two draws as far apart as the other's, `a` is ahead by half a standard error of the difference."""
    race = of_scores({"a": {"x": [0.9, 0.9, 0.9]}, "b": {"x": [0.86, 0.89, 0.92]}})
    random = np.random.default_rng(7)
    error = 0.03 / math.sqrt(3)
    ahead = 0.9 + error * random.standard_t(2, 200_000) > 0.89 + error * random.standard_t(2, 200_000)
    assert standing.chances_of_first(race)["a"] == pytest.approx(ahead.mean(), abs=0.01)
    assert standing.chances_of_first(of_scores({"a": {"x": [0.9, 0.9]}, "b": {"x": [0.8, 0.8]}})) == {}


def test_a_workload_without_a_test_split_is_judged_by_the_objective():
    race = raced()
    tries = [replace(one, tested=None) if one.workload == "one" else one for one in race.tries]
    mixed = replace(race, tries=tries)
    assert mixed.came_to("one", "b") == pytest.approx([0.8, 0.81, 0.82])
    assert mixed.mean(EVIL, "b") == pytest.approx(0.79)
    assert mixed.metric == "val/accuracy or test/accuracy"


def test_epochs_to_what_the_middle_comes_to():
    """The curves approach 0.8 + ahead + 0.01 k as 0.5 ** epochs: their bests are 0.015625 below."""
    race = raced()
    middle = [0.8 + ahead + 0.01 - 0.5**6 for ahead in (0.1, 0.0)]
    assert standing.target_of(race, "one") == pytest.approx(sum(middle) / 2)
    needed = standing.epochs_to_target(race)
    target = sum(middle) / 2
    by_hand = [math.ceil(math.log2(1 / (0.9 + 0.01 * k - target))) for k in range(3)]
    assert needed["a"]["one"] == by_hand
    assert needed["b"]["one"] == [math.inf] * 3


def test_the_profile_counts_workloads():
    found = standing.profile(raced())
    assert list(found) == ["a", "b"]
    assert found["a"][0][0] == 1.0
    assert found["b"][0][-1] < 1.0


def test_tested_repeats_are_judged_by_the_test_split():
    race = raced()
    assert race.metric == "test/accuracy"
    assert race.mean(EVIL, "b") == pytest.approx(0.79)
    assert race.infeasible("b") == 1 / 8 and race.infeasible("b", "one") == 1 / 4
