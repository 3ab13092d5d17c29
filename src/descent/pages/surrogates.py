"""What a surrogate model of a search believes: its mean, its deviation, and what it expects to gain where."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descent.pages.chart import Axis, Band, Chart, Field, Line, Points
from descent.pages.studies import Dimension, Study, axis_of, places_of, told

DEVIATIONS = 2.0


@dataclass(frozen=True)
class Belief:
    """Over one or two parameters, the others standing where the best trial has them; rows are the second's values."""

    dimensions: tuple[Dimension, ...]
    places: tuple[Sequence[float], ...]  # along each; places of choices are their numbers
    mean: np.ndarray
    deviation: np.ndarray
    improvement: np.ndarray


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float, minimize: bool) -> np.ndarray:
    """Of a normal belief over the best value known, in the objective's unit."""
    from scipy.stats import norm

    gain = (best - mean) if minimize else (mean - best)
    safe = np.where(deviation > 0, deviation, 1.0)
    z = gain / safe
    found = gain * norm.cdf(z) + safe * norm.pdf(z)
    return np.asarray(np.where(deviation > 0, found, np.maximum(gain, 0.0)))


def charts(belief: Belief, study: Study) -> list[Chart]:
    """A curve with its band and the improvement beneath it, or three fields."""
    return _curves(belief, study) if len(belief.dimensions) == 1 else _fields(belief, study)


def _curves(belief: Belief, study: Study) -> list[Chart]:
    (one,), (x,) = belief.dimensions, belief.places
    mean, spread = belief.mean, DEVIATIONS * belief.deviation
    known = [tried for tried in study.finished if one.name in tried.point]
    objective, axis = study.objectives[0], axis_of(one)
    seen = Points(
        places_of(one, known),
        [tried.values[0] for tried in known],
        "trials",
        2,
        texts=[told(tried, study) for tried in known],
    )
    layers = (
        Band(x, (mean - spread).tolist(), (mean + spread).tolist(), f"± {DEVIATIONS:g} deviations", 0),
        Line(x, mean.tolist(), "mean", 0),
        seen,
    )
    note = "The other parameters stand where the best trial has them; the trials' own differ."
    gain = Line(x, belief.improvement.tolist(), colour=1)
    return [
        Chart(f"The surrogate along {one.name}", axis, Axis(objective), layers, note),
        Chart(f"Expected improvement along {one.name}", axis, Axis("expected improvement"), (gain,)),
    ]


def _fields(belief: Belief, study: Study) -> list[Chart]:
    (first, second), (x, y) = belief.dimensions, belief.places
    lower = study.sign() > 0
    known = [tried for tried in study.finished if {first.name, second.name} <= set(tried.point)]
    seen = Points(
        places_of(first, known), places_of(second, known), texts=[told(one, study) for one in known], colour=1
    )
    shown = (
        ("mean", belief.mean, lower),
        ("deviation", belief.deviation, False),
        ("expected improvement", belief.improvement, False),
    )
    return [
        Chart(
            f"{name} over {first.name} and {second.name}",
            axis_of(first),
            axis_of(second),
            (Field(x, y, _finite(values), name, lower_is_better), seen),
        )
        for name, values, lower_is_better in shown
    ]


def _finite(values: np.ndarray) -> list[list[float]]:
    return [[float(value) if math.isfinite(value) else math.nan for value in row] for row in values]
