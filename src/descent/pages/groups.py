"""What groups of runs have shown, as charts: from plain numbers, whoever measured them."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from descent.pages.chart import PALETTE, Axis, Band, Bars, Chart, Layer, Line, Points

Curve = Sequence[tuple[int, float]]  # (epoch from 0, value)
Interval = tuple[float, float]
Value = TypeVar("Value")
MOST = 2 * len(PALETTE)  # groups of one chart: more cannot be told apart
REACH = 0.16  # over which the runs of a row are spread
QUARTILES = (0.25, 0.5, 0.75)


def curves(runs: Mapping[str, Sequence[Curve]], metric: str, target: float | None = None) -> Chart | None:
    """The median of each group's runs by epochs, the middle half of them as a band; None where there is none."""
    bands: list[Layer] = []
    lines: list[Layer] = []
    for place, (name, own) in enumerate(_first(runs)):
        x, low, middle, high = middle_half(own)
        if not x:
            continue
        bands += [Band(x, low, high, "", place)] if len(own) > 1 else []
        lines.append(Line(x, middle, name, place, dashed=place >= len(PALETTE)))
    if not lines:
        return None
    if target is not None:
        last = max(float(line.x[-1]) for line in lines if isinstance(line, Line))
        lines.insert(0, Line([1, max(last, 2)], [target, target], "target", 5, dashed=True, thin=True))
    note = "Lines are medians of the runs, bands hold their middle half; where most have stopped, the line does."
    return Chart(f"{metric} by epochs", Axis("epochs"), Axis(metric), (*bands, *lines), note + _left(runs), wide=True)


def middle_half(runs: Sequence[Curve]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Epochs (from 1) in which at least half of the runs have a number, and their quartiles there."""
    known: dict[int, list[float]] = {}
    for run in runs:
        for epoch, value in run:
            if math.isfinite(value):
                known.setdefault(epoch, []).append(value)
    began = sum(any(math.isfinite(value) for _, value in run) for run in runs)
    epochs = [epoch for epoch in sorted(known) if 2 * len(known[epoch]) >= began]
    quartiles = [np.quantile(known[epoch], QUARTILES).tolist() for epoch in epochs]
    low, middle, high = ([row[place] for row in quartiles] for place in range(3))
    return [epoch + 1.0 for epoch in epochs], low, middle, high


def distributions(
    values: Mapping[str, Mapping[str, float]], means: Mapping[str, tuple[float, Interval | None]], metric: str
) -> Chart:
    """A row for each group: every run as a dot, by its name, and the mean with its 95% interval."""
    rows, random = _rows(values), np.random.default_rng(0)
    x: list[float] = []
    y: list[float] = []
    texts: list[str] = []
    for name, own in values.items():
        finite = {run: value for run, value in own.items() if math.isfinite(value)}
        x += finite.values()
        y += (rows[name] + random.uniform(-REACH, REACH, len(finite))).tolist()
        texts += [f"{name}: {value:.5g}, {run}" for run, value in finite.items()]
    told = {rows[name]: found for name, found in means.items()}
    reaches = {row: reach for row, (_, reach) in told.items() if reach is not None}
    layers: list[Layer] = [
        Points(x, y, "run", 0, texts=texts),
        _reaches(reaches, "95% interval of the mean", 1),
        Points([mean for mean, _ in told.values()], [float(row) for row in told], "mean", 1, symbol="diamond"),
    ]
    ends = [end for reach in reaches.values() for end in reach]
    return Chart(f"{metric} of each run", Axis(metric, bounds=_around([*x, *ends])), _names(values), tuple(layers))


def differences(pairs: Mapping[str, tuple[float, Interval, bool]], metric: str) -> Chart | None:
    """A row for each pair: the difference with its 95% interval, and whether it can be told."""
    if not pairs:
        return None
    rows = _rows(pairs)
    layers: list[Layer] = [Line([0, 0], [-0.5, len(rows) - 0.5], "", 3, dashed=True, thin=True)]
    for name, sure, colour in (("cannot be told", False, 4), ("can be told", True, 0)):
        own = {rows[pair]: found for pair, found in pairs.items() if found[2] == sure}
        if own:
            layers.append(_reaches({row: found[1] for row, found in own.items()}, "", colour))
            x, y = [found[0] for found in own.values()], [float(row) for row in own]
            layers.append(Points(x, y, name, colour, symbol="diamond"))
    note = "Each pair's own 95% interval. What can be told is decided for all pairs together."
    bounds = _around([0.0, *(end for found in pairs.values() for end in found[1])])
    return Chart("Differences", Axis(f"difference in {metric}", bounds=bounds), _names(pairs), tuple(layers), note)


def chances(first: Mapping[str, float]) -> Chart | None:
    """How likely each group is the first, the likeliest on top."""
    if len(first) < 2:
        return None
    ranked = sorted(first, key=lambda name: -first[name])[: 2 * MOST]
    return Chart(
        "The probability of being first",
        Axis("probability", bounds=(0, 1)),
        Axis(categories=tuple(ranked[::-1])),
        (Bars(ranked, [first[name] for name in ranked]),),
    )


def reaching(costs: Mapping[str, Sequence[float]], unit: str, target: str) -> Chart | None:
    """The share of each group's runs that have come to the target by then; infinity is never."""
    most = max((cost for own in costs.values() for cost in own if math.isfinite(cost)), default=None)
    if most is None:
        return None
    layers = []
    for place, (name, own) in enumerate(_first(costs)):
        came = sorted(cost for cost in own if math.isfinite(cost))
        x, y = [0.0, *came, 1.05 * most], [number / len(own) for number in (*range(len(came) + 1), len(came))]
        layers.append(Line(x, y, name, place, dashed=place >= len(PALETTE), steps=True))
    title = f"Runs that have come to {target}, by {unit}"
    return Chart(title, Axis(unit), Axis("share of runs", bounds=(-0.02, 1.05)), tuple(layers), _left(costs).strip())


def profile(
    factors: Sequence[float], shares: Mapping[str, Sequence[float]], bands: Mapping[str, Sequence[Interval]], unit: str
) -> Chart:
    """On which share of the workloads a group needs at most so many times what the best one does."""
    pale: list[Layer] = []
    lines: list[Layer] = []
    for place, (name, own) in enumerate(_first(shares)):
        low, high = zip(*bands[name], strict=True)
        pale.append(Band(factors, low, high, "", place, steps=True))
        lines.append(Line(factors, own, name, place, dashed=place >= len(PALETTE), steps=True))
    x = Axis(f"at most so many times the fewest {unit}", log=True)
    note = "Higher and further left is better. Bands: 95%, the runs of each workload drawn anew." + _left(shares)
    y = Axis("share of workloads", bounds=(-0.02, 1.05))
    return Chart(f"Performance profiles: {unit}", x, y, (*pale, *lines), note, wide=True)


def _first(groups: Mapping[str, Value]) -> list[tuple[str, Value]]:
    return list(groups.items())[:MOST]


def _left(groups: Mapping[str, object]) -> str:
    return f" The first {MOST} of {len(groups)} groups are drawn." if len(groups) > MOST else ""


def _around(values: Sequence[float]) -> Interval | None:
    """An axis on which the outermost ones do not touch its ends."""
    if not values:
        return None
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _rows(names: Mapping[str, object]) -> dict[str, int]:
    """The first one on top."""
    return {name: len(names) - 1 - place for place, name in enumerate(names)}


def _names(groups: Mapping[str, object]) -> Axis:
    return Axis(categories=tuple(groups)[::-1])


def _reaches(intervals: Mapping[int, Interval], name: str, colour: int) -> Line:
    """All of them as one line with gaps."""
    x = [end for low, high in intervals.values() for end in (low, high, math.nan)]
    y = [place for row in intervals for place in (float(row), float(row), math.nan)]
    return Line(x, y, name, colour)
