"""How often the comparison is wrong, by drawn experiments with fixed seeds; `make bench-stats` draws more of them."""

import itertools
import math

import numpy as np
import pytest

from descent.comparison.contrast import contrast
from descent.comparison.families import holm
from descent.comparison.power import power
from descent.comparison.spread import resampled_interval
from descent.comparison.summary import summarise

ALPHA = 0.05


def at_most(share, trials):
    """A share of trials with three of its own standard errors."""
    return share + 3 * math.sqrt(share * (1 - share) / trials)


def groups(random, count, n, correlation=0.0):
    """Groups of the same configuration; what seeds have in common is in all of them."""
    common = random.normal(0, math.sqrt(correlation), n)
    return [dict(enumerate(common + random.normal(0, math.sqrt(1 - correlation), n))) for _ in range(count)]


@pytest.fixture
def without_permutations(monkeypatch):
    """They say nothing here but take most of the time."""
    for name in ("turned_p", "relabelled_p"):
        monkeypatch.setattr(f"descent.comparison.contrast.{name}", lambda *_: math.nan)


@pytest.mark.usefixtures("without_permutations")
@pytest.mark.parametrize("n", [3, 5, 20])
@pytest.mark.parametrize("paired", [True, False])
def test_identical_configurations_seldom_differ(n, paired):
    random, trials = np.random.default_rng(n), 2000
    found, covered = 0, 0
    for _ in range(trials):
        first, second = groups(random, 2, n, 0.5 if paired else 0.0)
        one = contrast(first, second if paired else {seed + n: value for seed, value in second.items()})
        found += one.p < ALPHA
        covered += one.low <= 0 <= one.high
    assert found / trials <= at_most(ALPHA, trials)
    assert 0.93 <= covered / trials <= 0.97 + (0.01 if n == 3 and not paired else 0)  # Welch's is wide for three


@pytest.mark.usefixtures("without_permutations")
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("n", "difference"), [(5, 1.5), (10, 1.0), (20, 0.7)])
def test_planted_differences_are_found_as_often_as_theory_says(n, difference, paired):
    random, trials, found = np.random.default_rng(n), 1500, 0
    for _ in range(trials):
        first, second = groups(random, 2, n)
        moved = {seed + (0 if paired else n): value + difference for seed, value in second.items()}
        found += contrast(first, moved).p < ALPHA
    deviation = math.sqrt(2) if paired else 1.0
    expected = power(difference, (deviation, deviation), n, paired=paired)
    assert found / trials == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / trials))


@pytest.mark.usefixtures("without_permutations")
def test_of_ten_groups_chance_alone_seldom_makes_one_differ():
    random, families, wrong = np.random.default_rng(0), 250, 0
    for _ in range(families):
        chances = [contrast(a, b).p for a, b in itertools.combinations(groups(random, 10, 5), 2)]
        wrong += min(holm(chances)) < ALPHA
    assert wrong / families <= at_most(ALPHA, families)


def test_intervals_of_a_mean_hold_it():
    draws = np.random.default_rng(2).normal(3.0, 2.0, (1500, 10)).tolist()
    students = [one.low <= 3 <= one.high for one in map(summarise, draws)]
    resampled = [low <= 3 <= high for low, high in map(resampled_interval, draws[:400])]
    assert 0.93 <= np.mean(students) <= 0.97
    assert 0.92 <= np.mean(resampled) <= 0.98  # of 400


def test_permutations_are_seldom_wrong():
    random, trials, found = np.random.default_rng(1), 300, 0
    for _ in range(trials):
        first, second = groups(random, 2, 5)
        found += contrast(first, {seed + 5: value for seed, value in second.items()}).permutation_p <= ALPHA
    assert found / trials <= at_most(ALPHA, trials)
