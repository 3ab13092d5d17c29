"""Fields over two numbers: what is known at scattered points, on a grid between them."""

import math
from collections.abc import Sequence

import numpy as np

from descent.pages.chart import Field

CELLS = 48


def grid(low: float, high: float, log: bool, cells: int = CELLS) -> list[float]:
    """Evenly spread from end to end on the axis as it is drawn."""
    spread = np.linspace(math.log(low), math.log(high), cells) if log else np.linspace(low, high, cells)
    return [float(value) for value in (np.exp(spread) if log else spread)]


def interpolated(
    x: Sequence[float],
    y: Sequence[float],
    z: Sequence[float],
    x_log: bool,
    y_log: bool,
    title: str = "",
    lower_is_better: bool = False,
) -> Field | None:
    """Linear between the points and nothing outside them; None where they span no area."""
    from scipy.interpolate import griddata
    from scipy.spatial import QhullError

    if min(x) == max(x) or min(y) == max(y):
        return None
    columns, rows = grid(min(x), max(x), x_log), grid(min(y), max(y), y_log)
    places = np.column_stack([_shares(x, x, x_log), _shares(y, y, y_log)])
    wanted = np.meshgrid(_shares(columns, x, x_log), _shares(rows, y, y_log))
    try:
        found = griddata(places, np.asarray(z, dtype=float), tuple(wanted), method="linear")
    except QhullError:  # all on one line
        return None
    return Field(columns, rows, found.tolist(), title, lower_is_better)


def _shares(values: Sequence[float], ends_of: Sequence[float], log: bool) -> np.ndarray:
    given, ends = np.asarray(values, dtype=float), np.array([min(ends_of), max(ends_of)], dtype=float)
    if log:
        given, ends = np.log(given), np.log(ends)
    return np.asarray((given - ends[0]) / (ends[1] - ends[0]))
