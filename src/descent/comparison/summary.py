"""What repeated measurements say together: mean, standard deviation, and how sure the mean is."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Of `n` numbers. One number has no deviation and no interval: None; beside a NaN or an infinity they are NaN."""

    n: int
    mean: float
    std: float | None = None  # of a sample: n - 1
    low: float | None = None  # the confidence interval of the mean, by Student's t
    high: float | None = None


def summarise(values: Sequence[float], confidence: float = CONFIDENCE) -> Summary:
    """The summary of at least one number; a NaN among them makes the mean NaN, as it is not known."""
    if not all(map(math.isfinite, values)):
        unknown = math.nan if len(values) > 1 else None
        return Summary(len(values), sum(values) / len(values), unknown, unknown, unknown)
    mean = float(statistics.mean(values))
    if len(values) == 1:
        return Summary(1, mean)
    std = float(statistics.stdev(values))
    half = t_quantile(0.5 + confidence / 2, len(values) - 1) * std / math.sqrt(len(values))
    return Summary(len(values), mean, std, mean - half, mean + half)


def summarise_all(rows: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Name → summary over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: summarise([row[name] for row in rows if name in row]) for name in names}


def t_quantile(probability: float, degrees: int) -> float:
    """Student's t: what a draw stays below with that probability."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))
