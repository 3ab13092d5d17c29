"""Charts of groups of runs: what is on them is what the numbers say."""

import math

import numpy as np
import pytest

from descent.pages import groups
from descent.pages.chart import Band, Line, Points
from descent.pages.interactive import figure
from descent.pages.pictures import picture
from reference.searched import EVIL


def layers(chart, kind):
    return [layer for layer in chart.layers if isinstance(layer, kind)]


def test_a_line_is_the_median_of_the_runs_and_the_band_their_middle_half():
    values = np.random.default_rng(0).normal(size=(7, 3))
    runs = [list(enumerate(row)) for row in values.tolist()]
    chart = groups.curves({"a": runs, "b": runs[:1]}, "val/loss")
    first, second = layers(chart, Line)
    (band,) = layers(chart, Band)  # of one run there is none
    assert first.x == [1, 2, 3] and first.y == pytest.approx(np.median(values, axis=0))
    assert band.low == pytest.approx(np.quantile(values, 0.25, axis=0))
    assert band.high == pytest.approx(np.quantile(values, 0.75, axis=0))
    assert second.y == pytest.approx(values[0])


def test_a_line_ends_where_most_of_its_runs_have_ended_and_passes_over_what_is_no_number():
    runs = [[(0, 1.0), (1, 2.0), (2, 3.0)], [(0, 3.0)], [(0, math.nan), (1, 4.0)]]
    x, _, middle, _ = groups.middle_half(runs)
    assert (x, middle) == ([1.0, 2.0], [2.0, 3.0])
    assert groups.curves({"a": [[(0, math.nan)]], "b": []}, "val/loss") is None


def test_every_run_is_a_dot_beside_the_mean_of_its_group():
    values = {"a": {"x": 1.0, "y": 2.0, "z": math.inf}, "b": {"w": 5.0}}
    chart = groups.distributions(values, {"a": (1.5, (1.0, 2.0)), "b": (5.0, None)}, "test/loss")
    dots, means = layers(chart, Points)
    (reaches,) = layers(chart, Line)
    assert dots.x == [1.0, 2.0, 5.0] and [round(at) for at in dots.y] == [1, 1, 0]  # the first on top
    assert (means.x, means.y) == ([1.5, 5.0], [1.0, 0.0])
    assert chart.y.categories == ("b", "a")
    assert reaches.x[:2] == [1.0, 2.0] and len(reaches.x) == 3


def test_differences_stand_apart_by_whether_they_can_be_told():
    chart = groups.differences({"a − b": (0.1, (0.05, 0.2), True), "a − c": (0.1, (-0.1, 0.3), False)}, "loss")
    marks = {points.name: points.y for points in layers(chart, Points)}
    assert marks == {"can be told": [1.0], "cannot be told": [0.0]}
    assert groups.differences({}, "loss") is None


def test_runs_that_never_came_are_no_step():
    chart = groups.reaching({"a": [1.0, 3.0, math.inf], "b": [math.inf]}, "epochs", "0.9")
    a, b = layers(chart, Line)
    assert list(zip(a.x, a.y, strict=True))[:3] == [(0.0, 0.0), (1.0, 1 / 3), (3.0, 2 / 3)]
    assert a.y[-1] == 2 / 3 and b.y == [0.0, 0.0]
    assert groups.reaching({"a": [math.inf]}, "epochs", "0.9") is None


def test_more_groups_than_can_be_told_apart_are_not_drawn():
    chart = groups.curves({str(one): [[(0, 1.0)]] for one in range(30)}, "val/loss")
    assert len(layers(chart, Line)) == groups.MOST and "12 of 30" in chart.note


def test_hostile_names_are_drawn_as_they_are():
    shares, bands = {EVIL: [0.5, 1.0]}, {EVIL: [(0.0, 1.0), (1.0, 1.0)]}
    charts = [
        groups.curves({EVIL: [[(0, 1.0), (1, 2.0)]], "$x": [[(0, 2.0)]]}, EVIL),
        groups.distributions({EVIL: {EVIL: 1.0}}, {EVIL: (1.0, None)}, "$x$ [/b]"),
        groups.chances({EVIL: 0.5, "$a$": 0.5}),
        groups.profile([1.0, 2.0], shares, bands, "epochs"),
    ]
    assert "<script" not in str([figure(chart) for chart in charts])
    picture(charts).canvas.draw()
