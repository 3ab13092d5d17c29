"""Who is first, and how sure that is; and over several workloads, who is near the first how often."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from descent.comparison.summary import CONFIDENCE
from descent.vocabulary import Direction

DRAWS = 20_000
RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


def chances_of_first(groups: Mapping[str, Sequence[float]], direction: Direction) -> dict[str, float]:
    """How likely each group's true mean is the best one; those of fewer than two finite values have no part in it.

    A mean is as sure as Student's t says, each group for itself; who tie share.
    """
    known = {name: finite for name, values in groups.items() if len(finite := _finite(values)) > 1}
    if not known:
        return {}
    random = np.random.default_rng(0)
    draws = np.array(
        [
            values.mean() + random.standard_t(len(values) - 1, DRAWS) * values.std(ddof=1) / np.sqrt(len(values))
            for values in known.values()
        ]
    )
    best = draws.min(axis=0) if direction == "minimize" else draws.max(axis=0)
    first = draws == best
    return dict(zip(known, (first / first.sum(axis=0)).mean(axis=1).tolist(), strict=True))


Costs = Mapping[str, Mapping[str, Sequence[float]]]


def profiles(costs: Costs, factors: Sequence[float]) -> dict[str, list[float]]:
    """Group → for each factor, on which share of the workloads it needs at most so many times the least.

    `costs` are group → workload → what each repeat took, infinity where it never got there; a workload's cost is the
    median of its repeats (Dolan and Moré, 2002).
    """
    return dict(zip(costs, _shares(_table(costs)[None], factors)[0].tolist(), strict=True))


def profile_bands(
    costs: Costs, factors: Sequence[float], confidence: float = CONFIDENCE
) -> dict[str, list[tuple[float, float]]]:
    """Between which shares the profiles lie when the repeats are drawn anew."""
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(_shares(_drawn(costs), factors), tails, axis=0)
    bands = np.stack([low, high], axis=-1)
    return {group: [(float(a), float(b)) for a, b in bands[row]] for row, group in enumerate(costs)}


def ranking(costs: Costs) -> dict[str, tuple[float, float]]:
    """Group → its mean rank over the workloads, and how often that is the lowest when the repeats are drawn anew.

    Who tie share a rank, and being first; those that never came there share the last ones. The best stands first. Where
    a workload has a single run of a group there is nothing to draw, and nobody's chance is a number.
    """
    from scipy.stats import rankdata

    ranks = rankdata(_table(costs), axis=0).mean(axis=1)
    drawn = rankdata(_drawn(costs), axis=1).mean(axis=2)
    first = np.isclose(drawn, drawn.min(axis=1, keepdims=True), rtol=1e-12)
    chances = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    if any(len(repeats) == 1 for own in costs.values() for repeats in own.values()):
        chances = np.full(len(costs), np.nan)
    found = {group: (float(ranks[row]), float(chances[row])) for row, group in enumerate(costs)}
    return dict(sorted(found.items(), key=lambda one: (one[1][0], -one[1][1])))


def _table(costs: Costs) -> Floats:
    """Groups × workloads."""
    workloads = _workloads(costs)
    return np.array([[median(costs[group].get(one, ())) for one in workloads] for group in costs])


def _drawn(costs: Costs) -> Floats:
    """Draws × groups × workloads, each the median of as many repeats as there are, drawn from them."""
    workloads, random = _workloads(costs), np.random.default_rng(0)
    table = np.full((RESAMPLES, len(costs), len(workloads)), np.inf)
    for row, group in enumerate(costs):
        for column, workload in enumerate(workloads):
            if repeats := costs[group].get(workload, ()):
                drawn = random.choice(np.asarray(repeats, dtype=np.float64), (RESAMPLES, len(repeats)))
                table[:, row, column] = _medians(drawn)
    return table


def _shares(table: Floats, factors: Sequence[float]) -> Floats:
    """draws × groups × workloads → draws × groups × factors."""
    least = table.min(axis=1, keepdims=True)
    reached = np.isfinite(table)
    allowed = np.where(np.isfinite(least), least, 0.0)[..., None] * np.asarray(factors, dtype=np.float64)
    shares: Floats = ((table[..., None] <= allowed * (1 + 1e-12)) & reached[..., None]).mean(axis=2)
    return shares


def _workloads(costs: Costs) -> list[str]:
    return list(dict.fromkeys(workload for group in costs.values() for workload in group))


def median(values: Sequence[float]) -> float:
    """Of numbers and infinities; of nothing it is infinity."""
    return float(_medians(np.asarray([values], dtype=np.float64))[0]) if len(values) else float("inf")


def _medians(rows: Floats) -> Floats:
    """The upper one of two middles where the mean of them would be no number: infinity less nothing."""
    ordered = np.sort(rows, axis=-1)
    middle = ordered.shape[-1] // 2
    low, high = ordered[..., (ordered.shape[-1] - 1) // 2], ordered[..., middle]
    medians: Floats = np.where(low == high, high, (low + high) / 2)
    return medians


def _finite(values: Sequence[float]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    finite: Floats = array[np.isfinite(array)]
    return finite
