"""Which classes are taken for which, as one picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from descent.lettering import plain
from descent.tracking.curves import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READABLE = 20  # classes up to which every cell has its number and every class its name
LONGEST_NAME = 14
DARK = 0.55  # of a row, from where white letters are read better


def confusion_picture(counts: npt.NDArray[Any], names: Sequence[str], title: str) -> "Figure":
    """A row for each true class, a column for each predicted one; the shade is the share of the row."""
    from matplotlib.figure import Figure

    classes = len(counts)
    few = classes <= READABLE
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 2.6 + (0.46 * classes if few else 5.4)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(plain(title), fontsize=11, color=INK)
    axes.set_xlabel("predicted", fontsize=10, color=INK)
    axes.set_ylabel("true", fontsize=10, color=INK)
    axes.tick_params(labelsize=8, colors=INK, length=0 if few else 3)
    if few:
        cut = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
        upright, shown = max(map(len, cut)) > 3, list(map(plain, cut))
        axes.set_xticks(range(classes), shown, rotation=90 if upright else 0)
        axes.set_yticks(range(classes), shown)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > DARK else INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    return figure
