"""Power against figures in print and against drawn experiments."""

import numpy as np
import pytest
from scipy import stats

from descent.comparison.power import power, runs_needed


@pytest.mark.parametrize(
    ("difference", "n", "paired", "printed"),
    [
        (1.0, 20, False, 0.8689528),  # R: power.t.test(n = 20, delta = 1, sd = 1)
        (0.5, 34, True, 0.8077775),  # G*Power: one sample, d = 0.5; Cohen's tables ask for 34
        (0.5, 64, False, 0.8014596),  # Cohen's tables: d = 0.5 takes 64 of each
    ],
)
def test_power_in_print(difference, n, paired, printed):
    assert power(difference, (1.0, 1.0), n, paired=paired) == pytest.approx(printed, abs=2e-3)


@pytest.mark.parametrize(
    ("difference", "wanted", "paired", "printed"),
    [(1.0, 0.9, False, 23), (0.5, 0.8, False, 64), (0.8, 0.8, False, 26), (0.2, 0.8, False, 394), (0.5, 0.8, True, 34)],
)
def test_runs_in_print(difference, wanted, paired, printed):
    """R's power.t.test says 22.02 for the first; the others stand in Cohen's tables."""
    assert runs_needed(difference, (1.0, 1.0), wanted=wanted, paired=paired) == printed


@pytest.mark.parametrize("deviations", [(1.0, 1.0), (0.3, 2.0)])
@pytest.mark.parametrize("n", [4, 9])
def test_power_of_drawn_experiments(deviations, n):
    random = np.random.default_rng(n)
    first, second = (random.normal(shift, s, (20_000, n)) for shift, s in zip((1.5, 0.0), deviations, strict=True))
    found = np.mean(stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05)
    assert power(1.5, deviations, n) == pytest.approx(found, abs=0.012)


@pytest.mark.parametrize(("difference", "n"), [(0.3, 40), (1.0, 4), (2.0, 3), (0.05, 500)])
def test_power_of_pairs_is_scipys_noncentral_t(difference, n):
    border, centre = stats.t.ppf(0.975, n - 1), difference * np.sqrt(n)
    expected = stats.nct.sf(border, n - 1, centre) + stats.nct.cdf(-border, n - 1, centre)
    assert power(difference, (1.0, 1.0), n, paired=True) == pytest.approx(expected, abs=5e-4)


def test_power_of_drawn_pairs():
    differences = np.random.default_rng(0).normal(1.0, 1.2, (20_000, 6))
    found = np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05)
    assert power(1.0, (1.2, 1.2), 6, paired=True) == pytest.approx(found, abs=0.012)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_find_nothing(n):
    assert power(5.0, (1.0, 1.0), n) == 0.0


def test_no_difference_is_never_found_and_called_so_by_chance():
    assert runs_needed(0.0, (1.0, 1.0)) is None
    assert power(0.0, (1.0, 1.0), 30, 0.01) == pytest.approx(0.01, abs=2e-4)


def test_a_tiny_difference_is_out_of_reach():
    assert runs_needed(1e-4, (1.0, 1.0)) is None


def test_without_variance_two_are_enough():
    assert runs_needed(0.1, (0.0, 0.0)) == 2


@pytest.mark.parametrize("difference", [30.0, 1e4, 1e9])
def test_far_apart_is_certain(difference):
    assert power(difference, (1.0, 1.0), 5) == pytest.approx(1.0)


def test_a_stricter_level_takes_more():
    assert runs_needed(1.0, (1.0, 1.0), alpha=0.05 / 45) > runs_needed(1.0, (1.0, 1.0))
