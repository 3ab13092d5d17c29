"""The words everything shares: splits, metrics with their better direction, and what each task takes for granted."""

from typing import Literal

Direction = Literal["minimize", "maximize"]

METRICS: dict[str, dict[str, Direction]] = {
    "classification": {
        "loss": "minimize",
        "accuracy": "maximize",
        "precision": "maximize",
        "recall": "maximize",
        "f1": "maximize",
        "auc": "maximize",
        "top5": "maximize",
    },
    "regression": {"loss": "minimize", "mse": "minimize", "mae": "minimize", "r2": "maximize"},
}
# They need every sample's outputs: measured each epoch only where something reads them, and of the reported weights.
RANKED = ("auc", "top5")
TOP = 5  # of five classes the five best are all
REPORTED = {"classification": ("loss", "accuracy", "f1", "auc"), "regression": ("loss", "mse", "mae", "r2")}
OBJECTIVE = {"classification": "accuracy", "regression": "loss"}
LOSS = {"classification": "cross_entropy", "regression": "mse"}

# The test split is not among them: no choice may read it.
CHOOSING_SPLITS = ("train", "val")


def metric_names(task: str, has_validation: bool, classes: int | None = None) -> list[str]:
    """The metrics of an epoch that a choice may read, `split/name`; `classes` is how many, where that is known."""
    splits = CHOOSING_SPLITS if has_validation else CHOOSING_SPLITS[:1]
    names = [name for name in METRICS[task] if name != "top5" or classes is None or classes > TOP]
    return [f"{split}/{name}" for split in splits for name in names]


def better_direction(metric: str, task: str) -> Direction:
    """Whether a metric is better small or large."""
    return METRICS[task][metric.split("/")[-1]]


def is_better(value: float, than: float, direction: Direction, margin: float = 0.0) -> bool:
    """Whether `value` improves on `than` by more than `margin`; NaN never does."""
    return value < than - margin if direction == "minimize" else value > than + margin


def worst(direction: Direction) -> float:
    """The value that everything finite improves on."""
    return float("inf") if direction == "minimize" else float("-inf")
