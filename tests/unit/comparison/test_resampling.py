"""Resampling against SciPy's own: to the digit where everything is counted out, else within its sampling error."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from descent.comparison import resampling
from descent.comparison.resampling import drawn_means, relabelled_p, turned_p


def difference(x, y, axis):
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


def theirs(a, b, kind):
    return stats.permutation_test((a, b), difference, permutation_type=kind, vectorized=True, n_resamples=9999).pvalue


def samples(seed, n, m):
    """The odd ones with ties."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, n + m)
    values = np.round(values) if seed % 2 else values
    return values[:n], values[n:] + random.choice([0.0, 1.0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [2, 3, 5, 9, 13])
def test_signs_that_are_counted_out(seed, n):
    a, b = samples(seed, n, n)
    assert turned_p(a - b) == pytest.approx(theirs(a, b, "samples"), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 5), (5, 5), (6, 7), (3, 20)])
def test_labels_that_are_counted_out(seed, n, m):
    a, b = samples(seed, n, m)
    assert relabelled_p(a, b) == pytest.approx(theirs(a, b, "independent"), abs=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_drawn(seed, monkeypatch):
    a, b = samples(seed, 30, 30)
    found = turned_p(a - b), relabelled_p(a, b)
    for ours, kind in zip(found, ("samples", "independent"), strict=True):
        p = theirs(a, b, kind)
        assert ours == pytest.approx(p, abs=8 * math.sqrt(p * (1 - p) / 9999) + 1e-3)
    monkeypatch.setattr(resampling, "AT_ONCE", 70)  # a row at a time is the same
    assert (turned_p(a - b), relabelled_p(a, b)) == pytest.approx(found, abs=0.02)


def exact(values):
    return [Fraction(round(value * 360), 360) for value in values]


def two_sided(observed, chance):
    tails = sum(one <= observed for one in chance), sum(one >= observed for one in chance)
    return min(1.0, 2 * min(tails) / len(chance))


@pytest.mark.parametrize("seed", range(20))
def test_accuracies_that_tie_are_counted_as_fractions(seed):
    """Shares of 360 samples, near one another: as floats their sums differ where as fractions they are equal."""
    values = np.random.default_rng(seed).integers(340, 346, 9) / 360
    a, b, shares = values[:4], values[4:], exact(values)
    whole = sum(shares)
    sums = [sum(some) for some in itertools.combinations(shares, 4)]
    apart = [one / 4 - (whole - one) / 5 for one in sums]
    assert relabelled_p(a, b) == pytest.approx(two_sided(apart[0], apart), abs=1e-12)
    differences = [one - other for one, other in zip(shares[:4], shares[4:8], strict=True)]
    turned = [sum(sign * one for sign, one in zip(signs, differences, strict=True))
              for signs in itertools.product((1, -1), repeat=4)]  # fmt: skip
    assert turned_p(a - b[:4], float(values.max())) == pytest.approx(two_sided(turned[0], turned), abs=1e-12)


def test_what_nothing_tells_apart_is_certain():
    same = np.ones(4)
    assert turned_p(same - same) == relabelled_p(same, same) == 1.0


def test_drawn_means_are_normal_about_the_mean():
    values = np.random.default_rng(3).normal(2.0, 1.0, 50)
    means = drawn_means(values)
    assert len(means) == 9999
    assert means.mean() == pytest.approx(values.mean(), abs=4 * means.std() / 100)
    assert means.std() == pytest.approx(values.std() / math.sqrt(50), rel=0.03)
