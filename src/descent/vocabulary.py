"""The words everything shares: splits, metrics with their better direction, and what each task takes for granted."""

from typing import Literal

Direction = Literal["minimize", "maximize"]

METRICS: dict[str, dict[str, Direction]] = {
    "classification": {"loss": "minimize", "accuracy": "maximize"},
    "regression": {"loss": "minimize", "mae": "minimize", "r2": "maximize"},
}
OBJECTIVE = {"classification": "accuracy", "regression": "loss"}
LOSS = {"classification": "cross_entropy", "regression": "mse"}

# The test split is not among them: no choice may read it.
CHOOSING_SPLITS = ("train", "val")


def metric_names(task: str, has_validation: bool) -> list[str]:
    """The metrics of an epoch that a choice may read, `split/name`."""
    splits = CHOOSING_SPLITS if has_validation else CHOOSING_SPLITS[:1]
    return [f"{split}/{name}" for split in splits for name in METRICS[task]]


def better_direction(metric: str, task: str) -> Direction:
    """Whether a metric is better small or large."""
    return METRICS[task][metric.split("/")[-1]]


def is_better(value: float, than: float, direction: Direction, margin: float = 0.0) -> bool:
    """Whether `value` improves on `than` by more than `margin`; NaN never does."""
    return value < than - margin if direction == "minimize" else value > than + margin


def worst(direction: Direction) -> float:
    """The value that everything finite improves on."""
    return float("inf") if direction == "minimize" else float("-inf")
