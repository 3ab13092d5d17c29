"""Learning curves as one picture: a panel for each metric, training and validation in it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from descent.lettering import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = Sequence[tuple[int, float]]

# Okabe and Ito's palette: told apart with any colour vision, and in grey by the line style.
COLOURS = {"train": "#0072B2", "val": "#D55E00", "test": "#009E73"}
STYLES = {"train": "-", "val": "--", "test": ":"}
OTHER_COLOUR = "#56B4E9"
BEST_COLOUR = "#000000"
INK, GRID = "#333333", "#DDDDDD"
MANY_ORDERS = 30.0  # between the largest and the smallest value, from where a logarithmic axis reads better
COLUMNS = 3


def learning_curves(history: Mapping[str, Points], title: str, best_epoch: int | None = None) -> "Figure":
    """Panels of `split/name` metrics by name, over epochs; the best epoch is marked where it is known."""
    from matplotlib.figure import Figure

    panels = _panels(history)
    columns = 2 if len(panels) == 4 else min(COLUMNS, max(1, len(panels)))
    rows = -(-max(1, len(panels)) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.2 * rows + 0.4), layout="constrained")
    figure.suptitle(plain(title), fontsize=12, color=INK)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (name, lines) in zip(axes, panels.items(), strict=False):
        _draw(panel, name, lines, best_epoch)
    for panel in axes[len(panels) :]:
        panel.set_axis_off()
    return figure


def _panels(history: Mapping[str, Points]) -> dict[str, dict[str, Points]]:
    """Name → split → points: what both splits have first, then the rest; the learning rate last."""
    panels: dict[str, dict[str, Points]] = {}
    for key, points in history.items():
        split, _, name = key.rpartition("/")
        if points:
            panels.setdefault(name, {})[split] = points
    order = sorted(panels, key=lambda name: (name == "lr", name != "loss", len(panels[name]) < 2, name))
    return {name: panels[name] for name in order}


def _draw(panel: "Axes", name: str, lines: Mapping[str, Points], best_epoch: int | None) -> None:
    for split, points in sorted(lines.items()):
        epochs, values = zip(*points, strict=True)
        colour = COLOURS.get(split, OTHER_COLOUR)
        mark = "o" if len(points) == 1 else None
        panel.plot(
            epochs, values, STYLES.get(split, "-"), color=colour, linewidth=1.8, marker=mark, label=split or name
        )
    _mark_best(panel, lines.get("val") or (lines[max(lines)] if name == "loss" else ()), best_epoch)
    _dress(panel, name, lines)


def _mark_best(panel: "Axes", points: Points, best_epoch: int | None) -> None:
    """Where the choice was made: on the validation line, or on the loss where nothing is validated."""
    for epoch, value in points:
        if epoch == best_epoch:
            label = f"best, epoch {epoch}"
            panel.plot(epoch, value, "o", markersize=8, markerfacecolor="none", color=BEST_COLOUR, label=label)


def _dress(panel: "Axes", name: str, lines: Mapping[str, Points]) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set_title({"lr": "learning rate"}.get(name, name.replace("_", " ")), fontsize=11, color=INK)
    panel.set_xlabel("epoch", fontsize=9, color=INK)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.tick_params(labelsize=8, colors=INK)
    panel.grid(color=GRID, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    if name != "lr" and _spans_orders(lines):
        panel.set_yscale("log")
    if len(panel.get_legend_handles_labels()[1]) > 1:
        panel.legend(fontsize=8, frameon=False)


def _spans_orders(lines: Mapping[str, Points]) -> bool:
    values = [value for points in lines.values() for _, value in points]
    return min(values) > 0 and max(values) / min(values) > MANY_ORDERS
