"""The samples that a model is most wrong about: a picture of images, a table of rows."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from descent.evaluation.judging import Verdict, values_of
from descent.evaluation.recovering import Recovered
from descent.lettering import plain
from descent.tasks.measures import class_names
from descent.tracking.curves import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN, COLUMNS = 25, 5


def write_mistakes(run: Recovered, verdict: Verdict, split: str, folder: Path) -> Path | None:
    """The worst ones as a file in the folder; None where there is no mistake."""
    part = run.split(split)
    rows, facts = worst(run, verdict, part.targets)
    if not len(rows):
        return None
    if run.config.dataset.settings.get("kind") == "image" and run.is_classifier:
        titles = [f"{fact['true']} taken for {fact['predicted']}\np = {fact['probability']:.3f}" for fact in facts]
        figure = picture(part.inputs[rows], titles, f"the worst mistakes, {split} split of {run.data.name}")
        figure.savefig(target := folder / "mistakes.png", dpi=120)
        return target
    return _table(part.inputs[rows], facts, list(run.data.columns), folder / "mistakes.csv")


def worst(run: Recovered, verdict: Verdict, targets: Tensor) -> tuple[npt.NDArray[np.int64], list[dict[str, Any]]]:
    """Rows of the split, the worst first, and what was said of each."""
    values = values_of(run, verdict.outputs)
    if not run.is_classifier:
        errors = np.abs(values - targets.double().numpy()).max(1)
        order = np.argsort(-errors, kind="stable")[:SHOWN]
        return order, [_number_fact(row, values[row], targets[row].tolist(), errors[row]) for row in order]
    true, guess, names = targets.numpy(), values.argmax(1), class_names(run.data)
    wrong = np.flatnonzero(guess != true)
    order = wrong[np.argsort(-values[wrong, guess[wrong]], kind="stable")][:SHOWN]
    facts = [
        {
            "row": int(row),
            "true": names[true[row]],
            "predicted": names[guess[row]],
            "probability": float(values[row, guess[row]]),
        }
        for row in order
    ]
    return order, facts


def picture(images: Tensor, titles: Sequence[str], title: str) -> "Figure":
    """Images in a grid, grey or in colour, each under its title."""
    from matplotlib.figure import Figure

    lines = -(-len(images) // COLUMNS)
    figure = Figure(figsize=(1.7 * COLUMNS, 2.05 * lines + 0.5), layout="constrained")
    figure.suptitle(plain(title), fontsize=11, color=INK)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, image, told in zip(axes, images.double().numpy(), titles, strict=False):
        panel.set_title(plain(told), fontsize=8, color=INK)
        panel.imshow(_shown(image), cmap="gray", interpolation="nearest")
    return figure


def _shown(image: npt.NDArray[np.float64]) -> Any:
    """Channels last, between 0 and 1; of other than three channels the first."""
    span = image.max() - image.min()
    level = (image - image.min()) / (span or 1.0)
    return level.transpose(1, 2, 0) if len(image) == 3 else level[0]


def _number_fact(row: int, got: Any, true: list[float], error: float) -> dict[str, Any]:
    single = len(true) == 1
    of = {f"{name}{'' if single else f'_{at}'}": float(value) for name, values in
          (("true", true), ("predicted", got)) for at, value in enumerate(values)}  # fmt: skip
    return {"row": int(row), **of, "error": float(error)}


def _table(inputs: Tensor, facts: list[dict[str, Any]], columns: list[str], file: Path) -> Path:
    flat = inputs.flatten(1)
    names = columns if len(columns) == flat.shape[1] else [f"x{at}" for at in range(flat.shape[1])]
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*facts[0], *names])
        for fact, row in zip(facts, flat.tolist(), strict=True):
            writer.writerow([*fact.values(), *row])
    return file
