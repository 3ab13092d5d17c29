"""What chance alone would make of measurements: relabelled, their signs turned, or drawn anew; rows at a time.

SciPy's own functions do the same, are the oracles of the tests, and take several times as long.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

RESAMPLES = 9999  # drawn where there are more than can be counted out
AT_ONCE = 1_000_000  # numbers in memory
ROUNDING = 100 * float(np.finfo(np.float64).eps)  # what differs by less, as a share of what was measured, is equal
Floats = npt.NDArray[np.float64]


def turned_p(differences: Floats, scale: float = 0.0) -> float:
    """Two-sided p of the mean of pairs' differences, where either of each pair could as well be the other.

    `scale` is how large the values are that they are differences of: they are as exact as those.
    """
    n, room = len(differences), ROUNDING * max(scale, float(np.abs(differences).max()))
    if 2**n <= RESAMPLES:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return _p(float(differences.mean()), signs @ differences / n, room, exact=True)

    def drawn(random: np.random.Generator, rows: int) -> Floats:
        return np.asarray((1 - 2 * random.integers(0, 2, (rows, n), dtype=np.int8)) @ differences / n)

    return _p(float(differences.mean()), _drawn(drawn, n), room, exact=False)


def relabelled_p(a: Floats, b: Floats) -> float:
    """Two-sided p of the difference of two means, where each value could as well be of the other group."""
    pooled, n = np.concatenate([a, b]), len(a)
    total, size, room = float(pooled.sum()), len(pooled), ROUNDING * float(np.abs(pooled).max())

    def apart(sums: Floats) -> Floats:
        return sums / n - (total - sums) / (size - n)

    observed = float(apart(np.asarray(a.sum())))
    if math.comb(size, n) <= RESAMPLES:
        places = np.array(list(itertools.combinations(range(size), n)))
        return _p(observed, apart(pooled[places].sum(axis=1)), room, exact=True)

    def drawn(random: np.random.Generator, rows: int) -> Floats:
        return apart(random.permuted(np.broadcast_to(pooled, (rows, size)), axis=1)[:, :n].sum(axis=1))

    return _p(observed, _drawn(drawn, size), room, exact=False)


def drawn_means(values: Floats) -> Floats:
    """The means of as many values, drawn from these with replacement."""
    n = len(values)
    return _drawn(lambda random, rows: values[random.integers(0, n, (rows, n))].mean(axis=1), n)


def _drawn(draw: Callable[[np.random.Generator, int], Floats], size: int) -> Floats:
    """All the resamples, as many at once as there is room for."""
    random = np.random.default_rng(0)
    return np.concatenate([draw(random, rows) for rows in _parts(max(1, AT_ONCE // size))])


def _parts(most: int) -> Iterator[int]:
    for start in range(0, RESAMPLES, most):
        yield min(most, RESAMPLES - start)


def _p(observed: float, chance: Floats, room: float, *, exact: bool) -> float:
    """Twice the smaller tail; of drawn ones the observed one counts too (Phipson and Smyth, 2010)."""
    extra = 0 if exact else 1
    tails = ((chance <= observed + room).sum(), (chance >= observed - room).sum())
    return float(min(1.0, 2 * (min(tails) + extra) / (len(chance) + extra)))
