"""A chart as Plotly takes it: plain JSON, so that nothing of Plotly has to be imported, only its script be inlined.

Colours are names of the page's style variables: the page's script puts in what the light or the dark scheme gives them.
"""

import html
import math
from collections.abc import Callable, Sequence
from typing import Any

from descent.pages.chart import PALETTE, SHADES, Axis, Band, Bars, Chart, Field, Line, Points

Trace = dict[str, Any]
SYMBOLS = {"circle": "circle", "open": "circle-open", "cross": "x", "star": "star", "diamond": "diamond"}
SIZES = {"star": 12, "diamond": 10}
LONGEST_TICK = 24
FAINT = 0.6


def figure(chart: Chart) -> dict[str, Any]:
    """`data` and `layout`, all texts escaped: Plotly reads markup in them."""
    traces = [trace for layer in chart.layers for trace in DRAWN[type(layer)](layer)]
    layout = {
        "xaxis": _axis(chart.x),
        "yaxis": _axis(chart.y),
        "showlegend": sum(bool(trace.get("showlegend")) for trace in traces) > 1,
    }
    return {"data": traces, "layout": layout}


def colour_of(place: int) -> str:
    """The style variable of a colour."""
    return f"--c{place % len(PALETTE)}"


def shade_of(share: float) -> str:
    """The style variable of a shade."""
    return f"--s{min(int(share * len(SHADES)), len(SHADES) - 1)}"


SCALE = [[place / (len(SHADES) - 1), f"--s{place}"] for place in range(len(SHADES))]


def _safe(text: str) -> str:
    return html.escape(text, quote=False)


def _axis(axis: Axis) -> dict[str, Any]:
    said: dict[str, Any] = {"title": {"text": _safe(axis.title)}}
    if axis.categories:
        places = list(range(len(axis.categories)))
        names = [_safe(_cut(name)) for name in axis.categories]
        return {**said, "tickvals": places, "ticktext": names, "range": [-0.5, len(names) - 0.5]}
    if axis.log:
        said |= {"type": "log", "exponentformat": "power"}
    if axis.ticks:
        named = {"ticktext": [_safe(_cut(text)) for _, text in axis.ticks]}
        said |= {"tickvals": [place for place, _ in axis.ticks], **named}
    if axis.bounds:
        said["range"] = [math.log10(end) if axis.log else end for end in axis.bounds]
    return said


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TICK else f"{text[: LONGEST_TICK - 1]}…"


def _numbers(values: Sequence[Any]) -> list[Any]:
    """JSON has no NaN."""
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]


def _told(texts: Sequence[str], name: str) -> Trace:
    if texts:
        return {"hovertext": [_safe(text) for text in texts], "hoverinfo": "text"}
    return {"hoverinfo": "x+y+name" if name else "x+y"}


def _named(name: str) -> Trace:
    return {"name": _safe(name), "showlegend": bool(name)}


def _line(layer: Line) -> list[Trace]:
    colour = colour_of(layer.colour) if layer.shade is None else shade_of(layer.shade)
    line = {"color": colour, "width": 1.2 if layer.thin else 2}
    line |= {"dash": "dash"} if layer.dashed else {}
    line |= {"shape": "hv"} if layer.steps else {}
    trace = {"type": "scatter", "mode": "lines", "x": _numbers(layer.x), "y": _numbers(layer.y), "line": line}
    return [{**trace, **_named(layer.name), **_told(layer.texts, layer.name)}]


def _points(layer: Points) -> list[Trace]:
    marker: Trace = {"symbol": SYMBOLS[layer.symbol], "size": SIZES.get(layer.symbol, 7)}
    if layer.shades:
        marker |= {"color": list(layer.shades), "colorscale": SCALE, "cmin": 0, "cmax": 1}
        marker |= {"line": {"color": "--line", "width": 0.5}}
    else:
        marker |= {"color": colour_of(layer.colour)}
    trace = {"type": "scatter", "mode": "markers", "x": _numbers(layer.x), "y": _numbers(layer.y), "marker": marker}
    return [{**trace, **_named(layer.name), **_told(layer.texts, layer.name)}]


def _band(layer: Band) -> list[Trace]:
    shape = {"shape": "hv"} if layer.steps else {}
    edge = {"type": "scatter", "mode": "lines", "line": {"width": 0, "color": colour_of(layer.colour), **shape}}
    edge |= {"x": _numbers(layer.x), "hoverinfo": "skip"}
    low = {**edge, "y": _numbers(layer.low), "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": f"{colour_of(layer.colour)}-pale"}
    return [low, {**edge, "y": _numbers(layer.high), **fill, **_named(layer.name)}]


def _bars(layer: Bars) -> list[Trace]:
    marker = {"color": colour_of(layer.colour)}
    places = list(range(len(layer.names)))[::-1]
    texts = [f"{_safe(name)}: {value:.3f}" for name, value in zip(layer.names, layer.values, strict=True)]
    trace = {"type": "bar", "orientation": "h", "x": list(layer.values), "y": places, "marker": marker}
    return [{**trace, "hovertext": texts, "hoverinfo": "text", "showlegend": False}]


def _field(layer: Field) -> list[Trace]:
    scale = (
        [[share, SCALE[-1 - place][1]] for place, (share, _) in enumerate(SCALE)] if layer.lower_is_better else SCALE
    )
    trace = {"type": "contour", "x": list(layer.x), "y": list(layer.y), "z": [_numbers(row) for row in layer.z]}
    bar = {"title": {"text": _safe(layer.title), "side": "right"}, "thickness": 10}
    return [{**trace, "colorscale": scale, "colorbar": bar, "line": {"width": 0.4}, "opacity": FAINT + 0.3}]


DRAWN: dict[type, Callable[[Any], list[Trace]]] = {
    Line: _line,
    Points: _points,
    Band: _band,
    Bars: _bars,
    Field: _field,
}
