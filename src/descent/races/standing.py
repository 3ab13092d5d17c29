"""How a race ended: ranks over its workloads, how sure the first place is, and how soon each value was there."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from descent.races.race import Race, Try

DRAWS = 20_000
EQUAL = 1e-12  # a deviation up to here is rounding
Floats = npt.NDArray[np.float64]
FACTORS = tuple(1 + step / 10 for step in range(41))


def mean_ranks(race: Race) -> dict[str, float]:
    """Value → the mean of its ranks over the workloads, 1 the best, ties sharing; who has no result is last."""
    worst = math.inf
    rows = []
    for workload in race.workloads:
        means = [race.mean(workload, value) for value in race.values]
        rows.append(_ranks(np.asarray([worst if one is None else race.sign * one for one in means]))[0])
    return dict(zip(race.values, np.mean(rows, axis=0).tolist(), strict=True))


def chances_of_first(race: Race) -> dict[str, float]:
    """How likely each value has the best mean rank, if each mean is as sure as Student's t of its repeats says.

    Values that have fewer than two repeats on some workload take no part; who tie share. A few equal results are luck
    and no certainty: they count as far apart as those of the middle value; nothing is said where all are equal.
    """
    part = [value for value in race.values if all(len(race.came_to(one, value)) > 1 for one in race.workloads)]
    if not part:
        return {}
    random = np.random.default_rng(0)
    ranks = np.zeros((DRAWS, len(part)))
    for workload in race.workloads:
        scores = [race.came_to(workload, value) for value in part]
        apart = [deviation for one in scores if (deviation := float(np.std(one, ddof=1))) > EQUAL]
        if not apart:
            return {}
        drawn = np.column_stack([_means(one, float(np.median(apart)), random) for one in scores])
        ranks += _ranks(race.sign * drawn)
    first = np.isclose(ranks, ranks.min(axis=1, keepdims=True))
    return dict(zip(part, (first / first.sum(axis=1, keepdims=True)).mean(axis=0).tolist(), strict=True))


def _ranks(costs: Floats) -> Floats:
    """Along the last axis; ties share the mean of their places."""
    from scipy import stats  # late: a search that is no race does without it

    return np.asarray(stats.rankdata(np.atleast_2d(costs), axis=1), dtype=np.float64)


def _means(scores: Sequence[float], deviation: float, random: np.random.Generator) -> Floats:
    """`deviation` is that of results which have none of their own."""
    values = np.asarray(scores, dtype=np.float64)
    own = float(values.std(ddof=1))
    error = (own if own > EQUAL else deviation) / math.sqrt(len(values))
    drawn: Floats = values.mean() + random.standard_t(len(values) - 1, DRAWS) * error
    return drawn


def target_of(race: Race, workload: str) -> float | None:
    """What the value in the middle comes to at its best epoch, in the median of its repeats."""
    reached = []
    for value in race.values:
        tops = [_top(race, one) for one in race.repeated(workload, value) if one.curve]
        if tops:
            reached.append(float(np.median(tops)))
    return float(np.median(reached)) if reached else None


def _top(race: Race, one: Try) -> float:
    return race.sign * min(race.sign * value for _, value in one.curve)


def epochs_to_target(race: Race) -> dict[str, dict[str, list[float]]]:
    """Value → workload → the epochs that each repeat needed, infinity where it never came there."""
    targets = {workload: target_of(race, workload) for workload in race.workloads}
    return {
        value: {
            workload: [_epochs(race, one, target) for one in race.repeated(workload, value)]
            for workload, target in targets.items()
            if target is not None
        }
        for value in race.values
    }


def _epochs(race: Race, one: Try, target: float) -> float:
    there = (epoch + 1.0 for epoch, value in one.curve if race.sign * value <= race.sign * target)
    return next(there, math.inf)


Profile = tuple[list[float], list[tuple[float, float]]]


def profile(race: Race) -> Mapping[str, Profile]:
    """Value → for each of FACTORS, the share of workloads on which it takes at most so many times the soonest's; and
    between which shares that lies when the repeats are drawn anew. Who is sooner on more of them comes first.
    """
    from descent.comparison.ranking import profile_bands, profiles  # late, as above

    costs = {value: rows for value, rows in epochs_to_target(race).items() if rows}
    if not costs:
        return {}
    shares, bands = profiles(costs, FACTORS), profile_bands(costs, FACTORS)
    order = sorted(costs, key=lambda value: -sum(shares[value]))
    return {value: (shares[value], bands[value]) for value in order}
