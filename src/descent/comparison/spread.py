"""How repeated measurements of one thing lie: the figures of a table's row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from descent.comparison.resampling import drawn_means
from descent.comparison.summary import CONFIDENCE, Summary, summarise
from descent.vocabulary import Direction

FEWEST_TO_RESAMPLE = 8  # the mean of fewer lies too often outside of everything that resampling them can come to


@dataclass(frozen=True)
class Spread:
    """Of the finite ones among the values; `missing` counts the others. Of nothing there is nothing: None."""

    summary: Summary | None
    missing: int
    median: float | None = None
    best: float | None = None
    resampled: tuple[float, float] | None = None  # the bootstrap's interval of the mean

    @property
    def n(self) -> int:
        return self.summary.n if self.summary else 0


def spread(values: Sequence[float], direction: Direction, confidence: float = CONFIDENCE) -> Spread:
    """Of values in any order; NaN and infinities are missing ones."""
    finite = [float(value) for value in values if math.isfinite(value)]
    missing = len(values) - len(finite)
    if not finite:
        return Spread(None, missing)
    best = min(finite) if direction == "minimize" else max(finite)
    middle = float(np.median(finite))
    return Spread(summarise(finite, confidence), missing, middle, best, resampled_interval(finite, confidence))


def resampled_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """The bootstrap's interval of the mean: percentiles, as far out as makes up for the few they are taken from.

    None of fewer than eight values. (Percentiles alone are too narrow: their variance is that of n instead of n - 1,
    and they know no Student's t. Hesterberg's expansion, 2015, asks for those further out that make up for both.)
    """
    n = len(values)
    if n < FEWEST_TO_RESAMPLE:
        return None
    tail = (1 - expanded(n, confidence)) / 2
    low, high = np.quantile(drawn_means(np.asarray(values, dtype=np.float64)), (tail, 1 - tail))
    return float(low), float(high)


def expanded(n: int, confidence: float = CONFIDENCE) -> float:
    """The confidence to ask percentiles for, so that of n normal values they give that of Student's t."""
    tail = special.ndtr(-math.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.5 + confidence / 2))
    return float(1 - 2 * tail)
