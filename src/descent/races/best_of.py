"""What the best of k points is to be expected to be: how a value fares with a smaller budget than it was given."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from descent.comparison.summary import CONFIDENCE
from descent.vocabulary import Direction

RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


def expected_best(values: Sequence[float], direction: Direction) -> list[float]:
    """For k from 1 to n: the mean of the best of k, over all ways to take k of the n values.

    Of values in order, worst first, the i-th is the best of k in C(i - 1, k - 1) of C(n, k) ways.
    """
    ordered = _worst_first(np.asarray(values, dtype=np.float64), direction)
    return [float(one) for one in _weights(len(values)) @ ordered]


def bands(values: Sequence[float], direction: Direction, confidence: float = CONFIDENCE) -> list[tuple[float, float]]:
    """For the same k: between which values the curve lies when the n values are drawn anew (the bootstrap)."""
    drawn = np.random.default_rng(0).choice(np.asarray(values, dtype=np.float64), (RESAMPLES, len(values)))
    curves = _worst_first(drawn, direction) @ _weights(len(values)).T
    low, high = np.quantile(curves, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _worst_first(values: Floats, direction: Direction) -> Floats:
    ordered = np.sort(values, axis=-1)
    return ordered if direction == "maximize" else ordered[..., ::-1]


def _weights(n: int) -> Floats:
    """A row for each k."""
    ways = [[math.comb(i, k - 1) / math.comb(n, k) for i in range(n)] for k in range(1, n + 1)]
    return np.asarray(ways, dtype=np.float64)
