"""Panels, lines and marks stand where a reader looks for them."""

import io

import pytest
from matplotlib import pyplot

from descent.tracking.curves import COLOURS, learning_curves

HISTORY = {
    "train/loss": [(0, 2.0), (1, 1.0), (2, 0.5)],
    "val/loss": [(0, 2.1), (1, 1.2), (2, 1.3)],
    "train/accuracy": [(0, 0.1), (1, 0.5), (2, 0.7)],
    "val/accuracy": [(0, 0.1), (1, 0.4), (2, 0.4)],
    "train/lr": [(0, 0.1), (1, 0.01), (2, 0.0001)],
}


def panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def test_one_panel_for_each_metric_loss_first_and_learning_rate_last():
    assert list(panels(learning_curves(HISTORY, "run"))) == ["loss", "accuracy", "learning rate"]


def test_lines_carry_the_history():
    lines = {line.get_label(): line for line in panels(learning_curves(HISTORY, "run"))["loss"].lines}
    assert list(lines["val"].get_ydata()) == [2.1, 1.2, 1.3]
    assert lines["train"].get_color() == COLOURS["train"]


def test_the_best_epoch_is_marked_on_the_validation_line():
    panel = panels(learning_curves(HISTORY, "run", best_epoch=1))["loss"]
    mark = next(line for line in panel.lines if line.get_label() == "best, epoch 1")
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1], [1.2])


def test_without_validation_the_loss_is_marked():
    panel = panels(learning_curves({"train/loss": [(0, 1.0), (1, 0.5)]}, "run", best_epoch=1))["loss"]
    assert "best, epoch 1" in [line.get_label() for line in panel.lines]


def test_the_learning_rate_stays_linear_and_a_wide_loss_does_not():
    history = {**HISTORY, "train/loss": [(0, 2.0), (1, 0.001)]}
    drawn = panels(learning_curves(history, "run"))
    assert (drawn["learning rate"].get_yscale(), drawn["loss"].get_yscale()) == ("linear", "log")


@pytest.mark.parametrize(
    "history", [{}, {"train/loss": []}, {"train/loss": [(0, float("nan")), (1, float("inf"))]}, {"loss": [(3, 1.0)]}]
)
def test_odd_histories_can_be_drawn(history):
    picture = io.BytesIO()
    learning_curves(history, "run").savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


def test_no_figure_is_kept_in_matplotlibs_global_state():
    learning_curves(HISTORY, "run")
    assert pyplot.get_fignums() == []
