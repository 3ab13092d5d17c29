"""A search's charts, from plain numbers: what is on them is what the numbers say."""

import math

import numpy as np
import pytest

from descent.pages import studies
from descent.pages.chart import Field, Line, Points
from descent.pages.fields import interpolated
from descent.pages.studies import Dimension, Study, Try

SPACE = (Dimension("lr", log=True), Dimension("optimizer", ("sgd", "adam")), Dimension("optimizer=sgd/momentum"))


def tried(number, value=None, state="finished", curve=(), **point):
    point = {"lr": 0.1, "optimizer": "sgd", **point}
    return Try(number, state, () if value is None else (value,), point, f"lr={point['lr']}", curve)


def study(*tries, direction="maximize", importances=None):
    return Study(("val/accuracy",), (direction,), SPACE, tries, importances or {})


def layers(chart, kind):
    return [layer for layer in chart.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("direction", "best"), [("maximize", [0.5, 0.5, 0.9, 0.9]), ("minimize", [0.5, 0.2, 0.2, 0.2])]
)
def test_the_best_so_far_never_gets_worse(direction, best):
    tries = (tried(0, 0.5), tried(1, 0.2), tried(2, 0.9), tried(3, state="failed"))
    (line,) = layers(studies.history(study(*tries, direction=direction)), Line)
    assert (list(line.x), list(line.y)) == ([0, 1, 2, 3], best)


def test_a_pruned_trial_stands_where_it_was_ended():
    chart = studies.history(study(tried(0, 0.5), tried(1, state="pruned", curve=[(0, 0.1), (1, 0.3)])))
    crosses = [points for points in layers(chart, Points) if points.symbol == "cross"]
    assert [(list(points.x), list(points.y)) for points in crosses] == [([1.0], [0.3])]


def test_a_slice_has_only_the_trials_that_have_the_parameter():
    known = study(tried(0, 0.5), tried(1, 0.6, **{"optimizer=sgd/momentum": 0.9}), tried(2, math.inf))
    charts = {chart.title: layers(chart, Points)[0] for chart in studies.slices(known)}
    assert list(charts["optimizer=sgd/momentum"].x) == [0.9]
    assert list(charts["lr"].y) == [0.5, 0.6]


def test_the_most_important_comes_first_and_all_come():
    known = study(tried(0, 0.5), importances={"optimizer": 0.8, "lr": 0.2, "gone": 0.0})
    assert [one.name for one in known.by_importance()] == ["optimizer", "lr", "optimizer=sgd/momentum"]


def test_parallel_coordinates_put_what_a_trial_lacks_below():
    known = study(tried(0, 0.5, lr=0.01), tried(1, 0.9, lr=1.0, optimizer="adam"), tried(2, 0.6, lr=0.1, m=1))
    lines = layers(studies.parallel(known), Line)
    rows = [row for line in lines for row in np.reshape(line.y, (-1, 5))[:, :4].tolist()]
    assert sorted(rows) == [[0, 0, -0.15, 0], pytest.approx([0.5, 0, -0.15, 0.25]), [1, 1, -0.15, 1]]
    assert lines[-1].shade > 0.9


def test_curves_mark_the_best_and_the_pruned():
    ends = [(epoch, 0.1 * epoch) for epoch in range(5)]
    chart = studies.curves(study(tried(0, 0.4, curve=ends), tried(1, state="pruned", curve=ends[:2]), tried(2, 0.3)))
    assert [layer.name for layer in chart.layers] == ["", "pruned", "best, #0"]
    assert (list(chart.layers[1].x), list(chart.layers[1].y)) == ([1.0], [0.1])


def test_many_curves_are_counted_and_not_all_drawn():
    chart = studies.curves(study(*(tried(number, number / 100, curve=[(0, 0.1), (1, 0.2)]) for number in range(80))))
    assert len(chart.layers) == studies.MOST_CURVES + 1
    assert "19 further ones" in chart.note


def test_nothing_is_drawn_of_which_nothing_can_be_said():
    alone = study(tried(0, 0.5))
    assert (studies.curves(alone), studies.contour(alone), studies.parallel(alone)) == (None, None, None)
    assert studies.importance(alone) is None


@pytest.mark.parametrize("directions", [("maximize", "minimize"), ("minimize", "maximize"), ("minimize", "minimize")])
def test_the_front_is_what_nothing_beats(directions):
    values = np.random.default_rng(0).integers(0, 12, (60, 2)).astype(float)
    tries = tuple(Try(number, "finished", tuple(row)) for number, row in enumerate(values.tolist()))
    signs = [1 if direction == "minimize" else -1 for direction in directions]
    costs = [tuple(sign * value for sign, value in zip(signs, row, strict=True)) for row in values.tolist()]
    beaten = [any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in costs) for a in costs]
    found = Study(("a", "b"), directions, (), tries).front()
    assert {one.number for one in found} == {number for number, worse in enumerate(beaten) if not worse}


def test_a_field_between_points_of_a_plane_is_the_plane():
    random = np.random.default_rng(0)
    x, y = 10 ** random.uniform(-3, 0, 80), random.uniform(-2, 5, 80)
    z = 3 * np.log10(x) - 0.5 * y + 1
    field = interpolated(x, y, z, x_log=True, y_log=False)
    plane = 3 * np.log10(field.x)[None, :] - 0.5 * np.array(field.y)[:, None] + 1
    found = np.array(field.z)
    assert np.isfinite(found).mean() > 0.5
    assert np.nanmax(np.abs(found - plane)) < 1e-9


def test_points_on_one_line_span_no_field():
    assert interpolated([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 2, 3], False, False) is None
    known = study(*(tried(number, number / 10, lr=0.1) for number in range(5)))
    assert layers(studies.contour(known), Field) == []
