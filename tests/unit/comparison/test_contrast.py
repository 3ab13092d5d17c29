"""Differences of two groups against SciPy, closed forms and counting out."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from descent.comparison.contrast import Contrast, contrast, hedges


def drawn(seed, n, m):
    random = np.random.default_rng(seed)
    return random.normal(1.0, 2.0, n), random.normal(1.5, 0.5, m)


def ties(seed, n, m):
    random = np.random.default_rng(seed)
    return random.integers(0, 3, n).astype(float), random.integers(0, 3, m).astype(float)


CASES = [make(seed, n, m) for make in (drawn, ties) for seed in range(4) for n, m in ((2, 2), (5, 5), (3, 8), (12, 7))]
CASES = [(a, b) for a, b in CASES if np.ptp(a) or np.ptp(b)]


def numbered(values, start=0):
    return dict(enumerate(values.tolist() if hasattr(values, "tolist") else values, start))


def apart(a, b):
    """Groups that share nothing."""
    return contrast(numbered(a), numbered(b, 1000))


@pytest.mark.parametrize(("a", "b"), CASES)
def test_apart_it_is_welchs(a, b):
    found, expected = apart(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert not found.paired and found.counts == (len(a), len(b))
    assert found.difference == pytest.approx(a.mean() - b.mean(), abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(a, b) for a, b in CASES if len(a) == len(b) and np.ptp(a - b)])
def test_on_common_seeds_it_is_paired(a, b):
    found, expected = contrast(numbered(a), numbered(b[::-1][::-1])), stats.ttest_rel(a, b)
    assert found.paired and found.counts == (len(a), len(a))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_pairs_go_by_seed_not_by_order():
    found = contrast({3: 1.0, 1: 5.0, 2: 3.0}, {1: 4.0, 2: 2.5, 3: 1.5})
    assert found.difference == pytest.approx((1 + 0.5 - 0.5) / 3)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 4), (5, 5)])
def test_the_permutations_are_counted_out(n, m):
    a, b = drawn(9, n, m)
    together, far = np.concatenate([a, b]), abs(a.mean() - b.mean())
    chosen = list(itertools.combinations(range(n + m), n))
    sums = np.array([together[list(one)].sum() for one in chosen])
    differences = np.abs(sums / n - (together.sum() - sums) / m)
    low = np.mean(sums / n - (together.sum() - sums) / m <= a.mean() - b.mean() + 1e-12)
    high = np.mean(sums / n - (together.sum() - sums) / m >= a.mean() - b.mean() - 1e-12)
    assert apart(a, b).permutation_p == pytest.approx(min(1.0, 2 * min(low, high)))
    assert apart(a, b).permutation_p >= np.mean(differences >= far + 1e-9)


def test_the_signs_are_counted_out():
    a, b = drawn(5, 6, 6)
    signed = np.array([np.mean((a - b) * signs) for signs in itertools.product((1, -1), repeat=6)])
    tail = min(np.mean(signed <= np.mean(a - b) + 1e-12), np.mean(signed >= np.mean(a - b) - 1e-12))
    assert contrast(numbered(a), numbered(b)).permutation_p == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize(("a", "b"), CASES[:8])
def test_the_effect_is_hedges(a, b):
    degrees = len(a) + len(b) - 2
    pooled = math.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / degrees)
    correction = math.gamma(degrees / 2) / math.sqrt(degrees / 2) / math.gamma((degrees - 1) / 2)
    assert apart(a, b).effect == pytest.approx((a.mean() - b.mean()) / pooled * correction, rel=1e-9)


def test_the_correction_is_near_the_usual_approximation():
    assert hedges(1.0, 1.0, 30) == pytest.approx(1 - 3 / (4 * 30 - 1), rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "counts"),
    [([], [1.0, 2.0], (0, 2)), ([], [], (0, 0)), ([math.nan], [1.0], (0, 1)), ([math.inf], [1.0, 1.5], (0, 2))],
)
def test_nothing_is_not_compared(a, b, counts):
    assert apart(a, b) == Contrast(counts, paired=False, deviations=apart(a, b).deviations)


def test_one_against_several_has_a_difference_and_no_more():
    found = apart([1.0], [2.0, 4.0])
    assert (found.difference, found.low, found.p, found.effect) == (-2.0, None, None, None)


def test_missing_seeds_leave_their_pairs():
    first = {0: 1.0, 1: 2.0, 2: math.nan, 3: 4.0}
    found = contrast(first, {0: 0.5, 1: 1.0, 2: 7.0, 4: 9.0})
    assert found.paired and found.counts == (2, 2) and found.difference == 0.75


def test_few_common_seeds_of_many_are_not_paired():
    found = contrast(numbered(np.arange(10.0)), numbered(np.arange(10.0), 8))
    assert not found.paired and found.counts == (10, 10)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9, 1e-9])
def test_the_same_everywhere_is_no_difference(value):
    for found in (apart([value] * 3, [value] * 4), contrast({0: value, 1: value}, {0: value, 1: value})):
        assert (found.difference, found.p, found.permutation_p, found.effect) == (0.0, 1.0, 1.0, 0.0)


def test_where_nothing_varies_the_permutations_speak():
    assert apart([0.3] * 3, [0.1] * 3).p == pytest.approx(2 / math.comb(6, 3))
    assert contrast({0: 0.3, 1: 0.4}, {0: 0.2, 1: 0.3}).p == pytest.approx(2 / 4)
    assert apart([0.3] * 3, [0.1] * 3).effect == math.inf


def test_one_group_without_variance_is_still_welchs():
    a, b = [0.5] * 4, [0.7, 0.8, 0.6, 0.9]
    assert apart(a, b).p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-9)


def test_order_only_turns_the_sign():
    a, b = drawn(1, 6, 9)
    there, back = apart(a, b), apart(b, a)
    assert there.difference == -back.difference and there.p == pytest.approx(back.p)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
