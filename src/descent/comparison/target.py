"""How soon runs come to a target: in epochs, steps, samples, seconds and multiply-adds; never is infinity."""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descent import rules
from descent.comparison.families import holm
from descent.comparison.grouping import Group
from descent.comparison.power import ALPHA
from descent.comparison.ranking import median
from descent.comparison.resampling import relabelled_p
from descent.comparison.verdicts import shown_p
from descent.errors import DataError
from descent.tracking.reading import Stored
from descent.vocabulary import Direction

UNITS = ("epochs", "steps", "samples", "seconds", "multiply-adds")
PASSES = 3  # a step multiplies in its forward pass once, in its backward pass twice
Curve = Sequence[tuple[int, float]]  # (epoch from 0, value)
History = Callable[[str, str], Curve]  # of a run's id and a metric


@dataclass(frozen=True)
class Reached:
    """Group → a row for each run, one number for each of the units; and what the pairs of groups come to."""

    curve: str
    target: float
    costs: dict[str, list[tuple[float, ...]]]
    pairs: list[tuple[str, str, float | None]]  # with Holm's p of who is sooner

    def medians(self, group: str) -> list[float]:
        return [median(column) for column in zip(*self.costs[group], strict=True)]

    def share(self, group: str) -> tuple[int, int]:
        """How many came there, of how many."""
        return sum(math.isfinite(row[0]) for row in self.costs[group]), len(self.costs[group])


def curve_of(metric: str) -> str:
    """The metric of every epoch that stands for one of the reported weights: the test split has no curve."""
    name = metric.removeprefix("best/").removeprefix("final/")
    return f"val/{name.removeprefix('test/')}" if name.startswith("test/") else name


def reached(
    groups: Sequence[Group], metric: str, direction: Direction, target: float | str, history: History
) -> Reached:
    """`target` is a value, or the name of the group whose runs come to it, in their median, at their best."""
    curve = curve_of(metric)
    curves = {group.name: [history(run.id, curve) for run in group.runs.values()] for group in groups}
    if not any(itertools.chain.from_iterable(curves.values())):
        raise rules.refuse("metric", metric, "one with a value for each epoch beside target=…", f"no run has {curve}")
    if isinstance(target, str):
        target = _best_of(target, curves, direction)
    costs = {
        group.name: [
            _costs(run, one, first_epoch(one, target, direction), history)
            for run, one in zip(group.runs.values(), curves[group.name], strict=True)
        ]
        for group in groups
    }
    names = list(itertools.combinations(costs, 2))
    chances = [sooner([row[0] for row in costs[a]], [row[0] for row in costs[b]]) for a, b in names]
    return Reached(curve, target, costs, [(*pair, p) for pair, p in zip(names, holm(chances), strict=True)])


def first_epoch(curve: Curve, target: float, direction: Direction) -> int | None:
    """The first whose value is at the target or beyond it."""
    for epoch, value in curve:
        if value >= target if direction == "maximize" else value <= target:
            return epoch
    return None


def sooner(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The p value of a difference in ranks, counted out or drawn: ties and infinities are ranked like anything else."""
    if min(len(first), len(second)) < 2:
        return None
    from scipy.stats import rankdata

    ranks = rankdata([*first, *second])
    return 1.0 if np.ptp(ranks) == 0 else relabelled_p(ranks[: len(first)], ranks[len(first) :])


def _best_of(name: str, curves: Mapping[str, Sequence[Curve]], direction: Direction) -> float:
    if name not in curves:
        raise rules.refuse("baseline", name, " | ".join(curves), rules.near(name, curves) or "it is one of the groups")
    best = max if direction == "maximize" else min
    found = [best(finite) for one in curves[name] if (finite := [value for _, value in one if math.isfinite(value)])]
    if not found:
        raise DataError(f"baseline: {rules.cut(name, 40)} has no curve")
    return statistics.median(found)


def _costs(run: Stored, curve: Curve, epoch: int | None, history: History) -> tuple[float, ...]:
    """In the order of the units; what the run has not recorded is NaN."""
    if epoch is None:
        return (math.inf,) * len(UNITS)
    epochs, trained = epoch + 1, curve[-1][0] + 1
    seconds = run.metrics.get("time/seconds", math.nan)
    told = seconds * run.metrics.get("time/samples_per_second", math.nan) / trained
    rows = run.rows if run.rows is not None else round(told) if math.isfinite(told) else None
    if rows is None:
        return float(epochs), math.nan, math.nan, seconds * epochs / trained, math.nan
    samples = float(rows * epochs)
    work = PASSES * samples * run.metrics.get("model/multiply_adds", math.nan)
    return float(epochs), _steps(run, rows, epochs, history), samples, seconds * epochs / trained, work


def _steps(run: Stored, rows: int, epochs: int, history: History) -> float:
    """As the epochs' minibatches made them, which may have grown."""
    given = run.params.get("batch_size", "")
    size = rows if given == "full" else int(given) if given.isdigit() else 0
    grown = dict(history(run.id, "train/batch_size")) if "train/batch_size" in run.metrics else {}
    accumulate = int(run.params.get("accumulate", "1"))
    drops = run.params.get("loader.drop_last") == "True"
    if not size and not grown:
        return math.nan
    total = 0
    for epoch in range(epochs):
        size = int(grown.get(epoch, size))
        minibatches = rows // size if drops else -(-rows // size)
        total += -(-minibatches // accumulate)
    return float(total)


def rows_of_table(found: Reached) -> list[list[str]]:
    """A heading and a row of text for each group."""
    table = [[f"{found.curve} {found.target:.4g}", "reached", *UNITS]]
    for group in found.costs:
        came, of = found.share(group)
        table.append([group, f"{came} of {of}", *map(_amount, found.medians(group))])
    return table


def in_words(found: Reached) -> list[str]:
    """Who is sooner, pair by pair."""
    lines = []
    for first, second, p in found.pairs:
        if p is None:
            lines.append(f"{first} and {second}: not enough runs to say who is sooner")
            continue
        a, b = found.medians(first)[0], found.medians(second)[0]
        told = f"{_amount(a)} and {_amount(b)} epochs in the median, p {shown_p(p)} by ranks"
        mean = {name: float(np.mean(_ranks(found, first, second)[name])) for name in (first, second)}
        ahead, behind = sorted((first, second), key=lambda name: mean[name])
        sure = f"{ahead} is sooner there than {behind}: {told}"
        lines.append(sure if p < ALPHA else f"{first} and {second}: nobody is surely sooner there; {told}")
    return lines


def _ranks(found: Reached, first: str, second: str) -> dict[str, list[float]]:
    epochs = {name: [row[0] for row in found.costs[name]] for name in (first, second)}
    from scipy.stats import rankdata

    ranks = rankdata([*epochs[first], *epochs[second]]).tolist()
    return {first: ranks[: len(epochs[first])], second: ranks[len(epochs[first]) :]}


def _amount(value: float) -> str:
    if math.isnan(value):
        return ""
    return "never" if math.isinf(value) else f"{value:.4g}"
