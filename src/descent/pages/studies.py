"""What a search has shown, as charts: from plain numbers, whoever searched."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from descent.pages.chart import Axis, Bars, Chart, Layer, Line, Points

State = Literal["finished", "pruned", "failed"]
Value = float | str

SHADES_OF_LINES = 8
MOST_CURVES = 60  # beside the best: more are a carpet
MOST_AXES = 12
WIDTH_OF_A_CHOICE = 0.4  # over which its trials are spread


@dataclass(frozen=True)
class Dimension:
    """One parameter of the space; with `choices` one of them, else a number."""

    name: str
    choices: tuple[str, ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Try:
    """One trial. `values` are there where it finished; `point` has the parameters that existed in it."""

    number: int
    state: State
    values: tuple[float, ...] = ()
    point: Mapping[str, Value] = field(default_factory=dict)
    shown: str = ""  # the point as words of a command line
    curve: Sequence[tuple[int, float]] = ()  # epoch and objective
    cause: str = ""


@dataclass(frozen=True)
class Study:
    """A search and what it came to. `importances` by name, the largest first."""

    objectives: tuple[str, ...]
    directions: tuple[Literal["minimize", "maximize"], ...]
    dimensions: tuple[Dimension, ...]
    tries: tuple[Try, ...]
    importances: Mapping[str, float] = field(default_factory=dict)

    @property
    def finished(self) -> list[Try]:
        """Those with finite values, by number."""
        return [one for one in self.tries if one.state == "finished" and all(map(math.isfinite, one.values))]

    def ranked(self, objective: int = 0) -> list[Try]:
        """Best first; the earlier one of equals first."""
        sign = self.sign(objective)
        return sorted(self.finished, key=lambda one: (sign * one.values[objective], one.number))

    def sign(self, objective: int = 0) -> float:
        """Times which smaller is better."""
        return 1.0 if self.directions[objective] == "minimize" else -1.0

    def shades(self, objective: int = 0) -> dict[int, float]:
        """Number → its rank as a shade, 1 the best: ranks tell more apart than values with outliers."""
        ranked = self.ranked(objective)
        return {one.number: 1.0 - place / max(len(ranked) - 1, 1) for place, one in enumerate(ranked)}

    def by_importance(self) -> list[Dimension]:
        """Those that were explored, the most important first."""
        known = {one.name: one for one in self.dimensions}
        order = [name for name in self.importances if name in known]
        return [known[name] for name in [*order, *(name for name in known if name not in order)]]

    def front(self) -> list[Try]:
        """The tries that none is better than in every objective, by the first one."""
        import numpy as np

        signs = [self.sign(at) for at in range(len(self.objectives))]
        costs = np.array([one.values for one in self.finished]).reshape(-1, len(signs)) * signs
        beaten = [bool(np.any(np.all(costs <= own, axis=1) & np.any(costs < own, axis=1))) for own in costs]
        kept = [one for one, worse in zip(self.finished, beaten, strict=True) if not worse]
        return sorted(kept, key=lambda one: (signs[0] * one.values[0], one.number))


def told(one: Try, study: Study) -> str:
    """What is said where a try is touched."""
    values = ", ".join(f"{name} {value:.5g}" for name, value in zip(study.objectives, one.values, strict=False))
    return f"#{one.number} {one.shown}: {values or one.state}"


def history(study: Study) -> Chart:
    """Every try's objective by its number, and the best so far."""
    sign, best, numbers, bests = study.sign(), math.inf, [], []
    for one in study.finished:
        best = min(best, sign * one.values[0])
        numbers.append(float(one.number))
        bests.append(sign * best)
    if study.tries:
        numbers.append(float(study.tries[-1].number))
        bests.append(sign * best)
    layers: list[Layer] = [
        Points(
            [float(one.number) for one in study.finished],
            [one.values[0] for one in study.finished],
            "trial",
            5,
            texts=[told(one, study) for one in study.finished],
        ),
        Line(numbers, bests, "best so far", 1, steps=True),
    ]
    if cut := [one for one in study.tries if one.state == "pruned" and one.curve and math.isfinite(one.curve[-1][1])]:
        texts = [told(one, study) for one in cut]
        x, y = [float(one.number) for one in cut], [one.curve[-1][1] for one in cut]
        layers.insert(0, Points(x, y, "pruned, where it was ended", 3, symbol="cross", texts=texts))
    return Chart(f"{study.objectives[0]} of each trial", Axis("trial"), Axis(study.objectives[0]), tuple(layers))


def importance(study: Study) -> Chart | None:
    """How much each parameter mattered."""
    if not study.importances:
        return None
    names, values = list(study.importances), list(study.importances.values())
    note = "PED-ANOVA over the trials that have the parameter; the shares sum to 1."
    y = Axis("", categories=tuple(names[::-1]))
    return Chart("What mattered", Axis("importance"), y, (Bars(names, values),), note)


def slices(study: Study) -> list[Chart]:
    """The objective against one parameter after the other; the best stands out."""
    charts = []
    for one in study.by_importance():
        known = [tried for tried in study.finished if one.name in tried.point]
        if not known:
            continue
        best = min(known, key=lambda tried: (study.sign() * tried.values[0], tried.number))
        x, y = _beside(one, known), [tried.values[0] for tried in known]
        shades = [_later(tried, study) for tried in known]
        layers = (
            Points(x, y, shades=shades, texts=[told(tried, study) for tried in known]),
            Points(_beside(one, [best]), [best.values[0]], symbol="star", colour=1, texts=[told(best, study)]),
        )
        charts.append(Chart(one.name, axis_of(one), Axis(study.objectives[0]), layers))
    return charts


def _later(tried: Try, study: Study) -> float:
    """A later try is darker: it shows where the search went."""
    return tried.number / max(study.tries[-1].number, 1)


def _beside(dimension: Dimension, tries: Sequence[Try]) -> list[float]:
    """Where they stand, beside each other where a choice would put one upon the other."""
    width = WIDTH_OF_A_CHOICE if dimension.choices else 0.0
    golden = (5**0.5 - 1) / 2
    places = zip(places_of(dimension, tries), tries, strict=True)
    return [place + width * ((one.number * golden) % 1.0 - 0.5) for place, one in places]


def places_of(dimension: Dimension, tries: Sequence[Try]) -> list[float]:
    """Where values stand on the parameter's axis."""
    values = [one.point[dimension.name] for one in tries]
    if dimension.choices:
        return [float(dimension.choices.index(str(value))) for value in values]
    return [float(value) for value in values]


def axis_of(dimension: Dimension) -> Axis:
    return Axis(dimension.name, log=dimension.log, categories=dimension.choices)


def parallel(study: Study) -> Chart | None:
    """A line for each finished try through all its parameters to its objective; what it lacks lies below."""
    dimensions = study.by_importance()[: MOST_AXES - 1]
    known = study.ranked()
    if len(known) < 2 or not dimensions:
        return None
    shares = [_shares(one, known) for one in dimensions]
    values = [one.values[0] for one in known]
    shares.append(_scaled(values))
    x = [float(place) for place in range(len(shares))]
    shades, layers = study.shades(), []
    for bucket in range(SHADES_OF_LINES):
        inside = [at for at, one in enumerate(known) if min(int(shades[one.number] * 8), 7) == bucket]
        xs = [place for _ in inside for place in (*x, math.nan)]
        ys = [value for at in inside for value in (*(share[at] for share in shares), math.nan)]
        texts = [told(known[at], study) for at in inside for _ in (*x, 0)]
        if inside:
            layers.append(Line(xs, ys, shade=(bucket + 0.5) / SHADES_OF_LINES, thin=True, texts=texts))
    names = [*(one.name for one in dimensions), study.objectives[0]]
    ticks = tuple(zip(x, names, strict=True))
    ends = [_ends(one, known) for one in dimensions] + [(f"{min(values):.4g}", f"{max(values):.4g}")]
    note = "Each axis from its lowest to its highest value: "
    note += "; ".join(f"{name} {low} to {high}" for name, (low, high) in zip(names, ends, strict=True))
    note += (
        ". A line that is darker (brighter on black) is a better trial; a parameter that a trial has not lies below."
    )
    y = Axis("", ticks=((-0.15, "absent"), (0.0, "lowest"), (1.0, "highest")), bounds=(-0.2, 1.05))
    bounds = (-0.3, len(names) - 0.7)
    return Chart("Parallel coordinates", Axis("", ticks=ticks, bounds=bounds), y, tuple(layers), note, wide=True)


def _shares(dimension: Dimension, tries: Sequence[Try]) -> list[float]:
    has = [one for one in tries if dimension.name in one.point]
    places = places_of(dimension, has)
    if dimension.log:
        places = [math.log(place) for place in places]
    scaled = dict(zip([one.number for one in has], _scaled(places), strict=True))
    return [scaled.get(one.number, -0.15) for one in tries]


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _ends(dimension: Dimension, tries: Sequence[Try]) -> tuple[str, str]:
    places = places_of(dimension, [one for one in tries if dimension.name in one.point])
    if not places:
        return "-", "-"
    if dimension.choices:
        return dimension.choices[int(min(places))], dimension.choices[int(max(places))]
    return f"{min(places):.4g}", f"{max(places):.4g}"


def curves(study: Study) -> Chart | None:
    """The objective over epochs: the best, other finished tries, and those that were pruned, where they ended."""
    if not any(len(one.curve) > 1 for one in study.tries):
        return None
    having = [one for one in study.ranked() if one.curve]
    cut = [one for one in study.tries if one.state == "pruned" and one.curve]
    best, others, pruned, shades = having[:1], having[1 : MOST_CURVES + 1], cut[:MOST_CURVES], study.shades()
    layers: list[Layer] = [_curve(one, study, shade=shades[one.number]) for one in others[::-1]]
    layers += _pruned(pruned, study) if pruned else []
    layers += [_curve(one, study, name=f"best, #{one.number}") for one in best]
    left = len(having) + len(cut) - len(best) - len(others) - len(pruned)
    note = "Each line is a trial, a better one darker (brighter on black)."
    note += f" {left} further ones are not drawn." if left else ""
    return Chart("Learning curves", Axis("epoch"), Axis(study.objectives[0]), tuple(layers), note, wide=True)


def _pruned(tries: Sequence[Try], study: Study) -> list[Layer]:
    """All of them as one interrupted line, with a cross at each end."""
    x = [place for one in tries for place in (*(float(epoch) for epoch, _ in one.curve), math.nan)]
    y = [value for one in tries for value in (*(value for _, value in one.curve), math.nan)]
    texts = [told(one, study) for one in tries for _ in (*one.curve, None)]
    ends = [one.curve[-1] for one in tries]
    marks = [float(epoch) for epoch, _ in ends], [value for _, value in ends]
    crosses = Points(*marks, "pruned", 3, symbol="cross", texts=[told(one, study) for one in tries])
    return [Line(x, y, colour=3, dashed=True, thin=True, texts=texts), crosses]


def _curve(one: Try, study: Study, name: str = "", shade: float | None = None) -> Line:
    epochs, values = zip(*one.curve, strict=True)
    return Line(
        [float(at) for at in epochs],
        values,
        name,
        1,
        shade,
        thin=shade is not None,
        texts=[told(one, study)] * len(epochs),
    )


def contour(study: Study) -> Chart | None:
    """The two most important parameters that trials have in common, and the objective over them."""
    pair = study.by_importance()[:2]
    if len(pair) < 2:
        return None
    first, second = pair
    known = [one for one in study.finished if first.name in one.point and second.name in one.point]
    if len(known) < 4:
        return None
    x, y, shades = _beside(first, known), _beside(second, known), study.shades()
    layers: list[Layer] = []
    if not first.choices and not second.choices:
        from descent.pages.fields import interpolated

        values = [one.values[0] for one in known]
        found = interpolated(x, y, values, first.log, second.log, study.objectives[0], study.sign() > 0)
        layers += [found] if found else []
    texts = [told(one, study) for one in known]
    layers.append(Points(x, y, shades=[shades[one.number] for one in known], texts=texts))
    title = f"{study.objectives[0]} over {first.name} and {second.name}"
    note = "Straight lines between the trials, which are the dots; other parameters differ from dot to dot."
    return Chart(title, axis_of(first), axis_of(second), tuple(layers), note if len(layers) > 1 else "")


def pareto(study: Study) -> list[Chart]:
    """Each pair of objectives, the front marked."""
    charts, front = [], study.front()
    for first in range(len(study.objectives)):
        for second in range(first + 1, len(study.objectives)):
            others = [one for one in study.finished if one.number not in {best.number for best in front}]
            layers = [
                _pair(others, first, second, study, "trial", 5),
                _pair(front, first, second, study, "Pareto front", 1),
            ]
            if len(study.objectives) == 2:
                x, y = ([one.values[at] for one in front] for at in (first, second))
                layers.insert(0, Line(x, y, colour=1, dashed=True))
            title = f"{study.objectives[first]} and {study.objectives[second]}"
            charts.append(Chart(title, Axis(study.objectives[first]), Axis(study.objectives[second]), tuple(layers)))
    return charts


def _pair(tries: Sequence[Try], first: int, second: int, study: Study, name: str, colour: int) -> Layer:
    x, y = ([one.values[at] for one in tries] for at in (first, second))
    return Points(x, y, name, colour, texts=[told(one, study) for one in tries])
