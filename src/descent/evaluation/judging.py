"""What a model's outputs on a split are worth, in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from descent.evaluation.recovering import Recovered
from descent.tasks.measures import Tally, class_names, confusion, per_class
from descent.tasks.ranking import probabilities

BINS = 15


@dataclass(frozen=True)
class Verdict:
    """Of one split. `counts` is the confusion matrix and `classes` a row for each class; neither for regression."""

    metrics: dict[str, float]
    outputs: Tensor
    counts: npt.NDArray[np.int64] | None = None
    classes: tuple[dict[str, Any], ...] = ()


def judge(run: Recovered, split: str) -> Verdict:
    """Every metric of the task, by the code that measures while training, and what only a closer look needs."""
    part = run.split(split)
    outputs = run.outputs(part.inputs)
    tally = Tally(run.recipe.loss, run.recipe.measures, ranked=True)
    tally.add(outputs, part.targets)
    metrics = tally.metrics()
    if not run.is_classifier:
        return Verdict(metrics, outputs)
    metrics["calibration_error"] = calibration_error(probabilities(outputs).numpy(), part.targets.numpy())
    counts = confusion(outputs, part.targets, run.data.outputs).numpy()
    return Verdict(metrics, outputs, counts, class_rows(counts, class_names(run.data)))


def class_rows(counts: npt.NDArray[np.int64], names: list[str]) -> tuple[dict[str, Any], ...]:
    """Precision, recall, F1 and support of each class."""
    support = counts.sum(1)
    scores = per_class(np.diag(counts), support, counts.sum(0))
    return tuple(
        {"class": name, **{key: float(values[one]) for key, values in scores.items()}, "support": int(support[one])}
        for one, name in enumerate(names)
    )


def calibration_error(chances: npt.NDArray[np.float64], targets: npt.NDArray[np.int64]) -> float:
    """By how much confidence and accuracy differ, averaged over bins of confidence of equal width."""
    confidence, right = chances.max(1), chances.argmax(1) == targets
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(targets))


def values_of(run: Recovered, outputs: Tensor) -> npt.NDArray[np.float64]:
    """Probabilities of classes, or the numbers that are predicted."""
    return (probabilities(outputs) if run.is_classifier else outputs.double()).numpy()
