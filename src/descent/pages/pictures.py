"""Charts as a matplotlib figure, a panel each, on white: for a file, a README or a paper."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from descent.lettering import plain
from descent.pages.chart import PALETTE, SHADES, Axis, Band, Bars, Chart, Field, Line, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, GRID = "#333333", "#DDDDDD"
COLUMNS = 3
ROW = 0.3  # inches of a category
MARKS = {"circle": "o", "open": "o", "cross": "x", "star": "*", "diamond": "D"}
SIZES = {"star": 110, "diamond": 34}
LONGEST_TICK = 18


def picture(charts: Sequence[Chart], title: str = "") -> "Figure":
    """All charts in one figure."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(charts)) if len(charts) != 4 else 2
    rows = -(-len(charts) // columns)
    width = 7.5 if len(charts) == 1 else 4.4 * columns
    height = max(4.2 if len(charts) == 1 else 3.4, *(1.4 + ROW * len(chart.y.categories) for chart in charts))
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    if title:
        figure.suptitle(plain(title), fontsize=12, color=INK)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, chart in zip(axes, charts, strict=False):
        _draw(panel, chart)
    for panel in axes[len(charts) :]:
        panel.set_axis_off()
    return figure


def _draw(panel: "Axes", chart: Chart) -> None:
    for layer in chart.layers:
        DRAWN[type(layer)](panel, layer)
    panel.set_title(plain(chart.title), fontsize=10, color=INK)
    _dress(panel, "x", chart.x)
    _dress(panel, "y", chart.y)
    panel.tick_params(labelsize=8, colors=INK)
    panel.grid(color=GRID, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    if len(panel.get_legend_handles_labels()[1]) > 1:
        panel.legend(fontsize=7, frameon=False)


def _dress(panel: "Axes", which: str, axis: Axis) -> None:
    own: Any = panel.xaxis if which == "x" else panel.yaxis
    own.set_label_text(plain(axis.title), fontsize=9, color=INK)
    ticks = axis.ticks or tuple(enumerate(axis.categories))
    bounds = (-0.5, len(axis.categories) - 0.5) if axis.categories else axis.bounds
    if axis.log:
        panel.set(**{f"{which}scale": "log"})
    if ticks:
        places, texts = zip(*ticks, strict=True)
        own.set_ticks(places, labels=[plain(_cut(str(text))) for text in texts])
        if which == "x" and sum(len(_cut(str(text))) for text in texts) > 28:
            panel.tick_params(axis="x", rotation=35)
    if bounds:
        panel.set(**{f"{which}lim": bounds})


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TICK else f"{text[: LONGEST_TICK - 1]}…"


def _colour(place: int) -> str:
    return PALETTE[place % len(PALETTE)]


def _scale() -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", list(SHADES))


def _line(panel: "Axes", layer: Line) -> None:
    shade = None if layer.shade is None else SHADES[min(int(layer.shade * len(SHADES)), len(SHADES) - 1)]
    panel.plot(
        layer.x,
        layer.y,
        color=shade or _colour(layer.colour),
        linestyle="--" if layer.dashed else "-",
        linewidth=1.0 if layer.thin else 1.8,
        drawstyle="steps-post" if layer.steps else "default",
        label=_label(layer.name),
    )


def _label(name: str) -> str | None:
    return plain(name) if name else None


def _points(panel: "Axes", layer: Points) -> None:
    colour: dict[str, Any] = {"c": list(layer.shades), "cmap": _scale(), "vmin": 0, "vmax": 1}
    if not layer.shades:
        colour = {"color": _colour(layer.colour)}
    if layer.symbol == "open":
        colour = {"facecolors": "none", "edgecolors": _colour(layer.colour)}
    size = SIZES.get(layer.symbol, 22)
    panel.scatter(layer.x, layer.y, s=size, marker=MARKS[layer.symbol], zorder=3, label=_label(layer.name), **colour)


def _band(panel: "Axes", layer: Band) -> None:
    panel.fill_between(
        layer.x,
        layer.low,
        layer.high,
        step="post" if layer.steps else None,
        color=_colour(layer.colour),
        alpha=0.2,
        linewidth=0,
        label=_label(layer.name),
    )


def _bars(panel: "Axes", layer: Bars) -> None:
    panel.barh(range(len(layer.names))[::-1], layer.values, color=_colour(layer.colour))


def _field(panel: "Axes", layer: Field) -> None:
    import numpy as np

    z = np.ma.masked_invalid(np.asarray(layer.z, dtype=float))
    if z.count() == 0 or not math.isfinite(float(z.min())):
        return
    drawn = panel.contourf(
        layer.x, layer.y, z, levels=12, cmap=_scale().reversed() if layer.lower_is_better else _scale()
    )
    bar = panel.figure.colorbar(drawn, ax=panel)
    bar.ax.tick_params(labelsize=7, colors=INK)
    bar.set_label(plain(layer.title), fontsize=8, color=INK)


DRAWN: dict[type, Callable[[Any, Any], None]] = {
    Line: _line,
    Points: _points,
    Band: _band,
    Bars: _bars,
    Field: _field,
}
