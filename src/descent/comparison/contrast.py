"""Two groups of measurements: by how much one is ahead, how sure that is, and whether it can be said at all."""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from descent.comparison.resampling import relabelled_p, turned_p
from descent.comparison.summary import CONFIDENCE, t_quantile

ROUNDING = 1e-12  # what differs by less, as a share of the values, does not vary

# A measurement by what it shares with one of another group: its seed, its fold.
Sample = Mapping[Hashable, float]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """The first group less the second. What fewer than two measurements of a group cannot tell is None.

    `p` is Student's or Welch's, or the permutations' where nothing varies: there a t test would be certain after two.
    """

    counts: tuple[int, int]  # what was compared: of pairs both are their number
    paired: bool
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    permutation_p: float | None = None
    effect: float | None = None  # Hedges' g: the difference in standard deviations
    deviations: tuple[float, float] = (math.nan, math.nan)  # of the groups; of pairs that of their differences, twice


def contrast(first: Sample, second: Sample, confidence: float = CONFIDENCE) -> Contrast:
    """Over what they share where that is at least two, and half of the smaller group; else each group as a whole."""
    first, second = _finite(first), _finite(second)
    shared = [unit for unit in first if unit in second]
    if len(shared) >= max(2, min(len(first), len(second)) / 2):
        return _paired(_array(first, shared), _array(second, shared), confidence)
    return _unpaired(_array(first, first), _array(second, second), confidence)


def _paired(a: Floats, b: Floats, confidence: float) -> Contrast:
    differences, n = a - b, len(a)
    mean, scale = float(differences.mean()), float(max(np.abs(a).max(), np.abs(b).max()))
    constant = _constant(differences, scale)
    deviation = 0.0 if constant else float(differences.std(ddof=1))
    half = t_quantile(0.5 + confidence / 2, n - 1) * deviation / math.sqrt(n)
    permuted = turned_p(differences, scale)
    p = permuted if constant else _two_sided(mean / deviation * math.sqrt(n), n - 1)
    mean = 0.0 if constant and abs(mean) <= ROUNDING * scale else mean
    effect = _standardised(mean, deviation, n - 1)
    return Contrast((n, n), True, mean, mean - half, mean + half, p, permuted, effect, (deviation, deviation))


def _unpaired(a: Floats, b: Floats, confidence: float) -> Contrast:
    counts = len(a), len(b)
    if not min(counts):
        return Contrast(counts, False)
    mean = float(a.mean() - b.mean())
    if min(counts) < 2:
        return Contrast(counts, False, mean)
    scale = float(max(np.abs(a).max(), np.abs(b).max()))
    mean = 0.0 if abs(mean) <= ROUNDING * scale else mean
    deviations = tuple(0.0 if _constant(one, scale) else float(one.std(ddof=1)) for one in (a, b))
    permuted = relabelled_p(a, b)
    error, degrees = welch(deviations, counts)
    pooled = math.sqrt(sum((n - 1) * s**2 for n, s in zip(counts, deviations, strict=True)) / (sum(counts) - 2))
    effect = _standardised(mean, pooled, sum(counts) - 2)
    if error == 0:
        return Contrast(counts, False, mean, mean, mean, permuted, permuted, effect, (0.0, 0.0))
    p = _two_sided(mean / error, degrees)
    half = float(special.stdtrit(degrees, 0.5 + confidence / 2)) * error
    return Contrast(counts, False, mean, mean - half, mean + half, p, permuted, effect, (deviations[0], deviations[1]))


def welch(deviations: tuple[float, ...], counts: tuple[int, int]) -> tuple[float, float]:
    """The standard error of a difference of means, and its degrees of freedom."""
    parts = [s**2 / n for s, n in zip(deviations, counts, strict=True)]
    total = sum(parts)
    if total == 0:
        return 0.0, float(sum(counts) - 2)
    # As shares of the whole: the square of a small variance would vanish.
    degrees = 1 / sum((part / total) ** 2 / (n - 1) for part, n in zip(parts, counts, strict=True))
    return math.sqrt(total), degrees


def _two_sided(t: float, degrees: float) -> float:
    """Student's p. SciPy's own tests do the same and warn about groups that hardly vary."""
    return float(2 * special.stdtr(degrees, -abs(t)))


def hedges(difference: float, deviation: float, degrees: int) -> float:
    """A difference in standard deviations, less what few measurements make too large of it."""
    correction = math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)) / math.sqrt(degrees / 2)
    return difference / deviation * correction


def _standardised(difference: float, deviation: float, degrees: int) -> float | None:
    """None of one degree of freedom: the correction leaves nothing."""
    if difference == 0:
        return 0.0
    if deviation == 0:
        return math.copysign(math.inf, difference)
    return hedges(difference, deviation, degrees) if degrees > 1 else None


def _constant(values: Floats, scale: float) -> bool:
    return bool(np.ptp(values) <= ROUNDING * scale)


def _finite(sample: Sample) -> dict[Hashable, float]:
    return {unit: value for unit, value in sample.items() if math.isfinite(value)}


def _array(sample: Sample, units: Iterable[Hashable]) -> Floats:
    return np.array([sample[unit] for unit in units], dtype=np.float64)
