"""A comparison as files: a table for a README, figures for DVC, a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from descent import rules
from descent.comparison import telling
from descent.durable import write_json
from descent.errors import EnvironmentFault

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from descent.comparison.comparing import Comparison

TABLE, FIGURES, PICTURE = "table.md", "comparison.json", "distributions.png"
INK, MEAN = "#0072B2", "#D55E00"  # of Okabe and Ito's colours, which everybody can tell apart


def save(comparison: "Comparison", folder: Path, *, costs: bool = False) -> None:
    """Into the folder, made if need be; what is in it under other names stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TABLE).write_text(telling.markdown(comparison))
        write_json(folder / FIGURES, telling.document(comparison, costs=costs))
        picture(comparison).savefig(folder / PICTURE, dpi=150, metadata={"Software": None})
    except OSError as error:
        raise EnvironmentFault(rules.cut(f"save: {folder} cannot be written: {error.strerror}", 200)) from None


def picture(comparison: "Comparison") -> "Figure":
    """Every run as a dot, the mean with its interval beside them."""
    from matplotlib.figure import Figure

    names = [group.name for group in comparison.groups]
    figure = Figure(figsize=(7, 1.6 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    for row, group in enumerate(comparison.groups):
        _draw(axes, row, list(group.values(comparison.metric).values()), comparison)
    axes.set_yticks(range(len(names)), [rules.cut(name, 40).replace("$", r"\$") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"{comparison.metric}: each run, mean and 95% interval")
    axes.set_title(rules.cut(comparison.answer, 90).replace("$", r"\$"), fontsize=10, loc="left")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _draw(axes: "Axes", row: int, values: list[float], comparison: "Comparison") -> None:
    import numpy as np

    finite = [value for value in values if np.isfinite(value)]
    offsets = np.random.default_rng(0).uniform(-0.12, 0.12, len(finite))
    axes.scatter(finite, row + 0.12 + offsets, s=14, color=INK, alpha=0.6, linewidths=0)
    summary = comparison.spreads[comparison.groups[row].name].summary
    if summary is None:
        return
    reach = None
    if summary.low is not None and summary.high is not None:
        reach = [[summary.mean - summary.low], [summary.high - summary.mean]]
    axes.errorbar([summary.mean], [row - 0.15], xerr=reach, fmt="D", color=MEAN, capsize=4, markersize=5)
