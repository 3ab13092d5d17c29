"""What a verdict is drawn from: curves and layers as a run has recorded them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHORTEST = 4  # epochs, for anything that is read off a curve's shape
LONGEST = 1000
CROSS_ENTROPIES = ("cross_entropy", "kl")
Curve = np.ndarray


@dataclass(frozen=True)
class Evidence:
    """Curves have a value an epoch. Honest numbers: the reported weights, measured without dropout or augmentation."""

    train: Curve  # the loss as it was trained on
    val: Curve  # empty where nothing validates
    steps: Curve  # the loss of every step
    norms: Curve  # of the whole gradient, at the end of each epoch
    chance: float  # the loss of knowing nothing
    reported: int  # the epoch whose weights are reported
    losses: Mapping[str, float] = field(default_factory=dict)  # honest: train, val
    errors: Mapping[str, float] = field(default_factory=dict)  # honest: 0 is perfect, 1 knows nothing
    layers: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    diverged: bool = False  # its loss was not finite

    @property
    def watched(self) -> Curve:
        """The curve that tells what the training is worth."""
        return self.val if len(self.val) else self.train

    @property
    def gap(self) -> float:
        """By how much the honest error is larger on validation than on training data; 0 where nothing validates."""
        return self.errors["val"] - self.errors["train"] if {"train", "val"} <= set(self.errors) else 0.0

    @property
    def loss_gap(self) -> float:
        """The same of the loss, as a share of the loss of knowing nothing."""
        known = {"train", "val"} <= set(self.losses)
        return (self.losses["val"] - self.losses["train"]) / self.chance if known else 0.0


def gathered(
    history: Mapping[str, Sequence[Sequence[float]]],
    steps: Sequence[float] | Curve,
    layers: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, float],
    *,
    task: str,
    outputs: int,
    loss: str,
    reported: int,
    settings: Mapping[str, Any],
    diverged: bool = False,
) -> Evidence:
    """The evidence of a run from its history (metric → points of epoch and value), results and settings."""
    curve = {name: _thinned(np.array([value for _, value in points])) for name, points in history.items()}
    steps = np.asarray(steps, dtype=float)
    none = np.empty(0)
    kinds = {"train": "best/train/", "val": "best/val/"}
    return Evidence(
        train=curve.get("train/loss", none),
        val=curve.get("val/loss", none),
        steps=steps,
        norms=curve.get("train/gradient_norm", none),
        chance=_chance(loss, outputs, steps),
        reported=reported,
        losses={split: metrics[f"{prefix}loss"] for split, prefix in kinds.items() if f"{prefix}loss" in metrics},
        errors={
            split: error
            for split, prefix in kinds.items()
            if (error := _error(task, outputs, prefix, metrics)) is not None
        },
        layers=layers,
        settings=settings,
        diverged=diverged,
    )


def _thinned(curve: Curve) -> Curve:
    """Means of as many neighbours as it takes to be no longer than can be looked at."""
    every = -(-len(curve) // LONGEST)
    return curve if every <= 1 else np.array([part.mean() for part in np.array_split(curve, len(curve) // every)])


def _chance(loss: str, outputs: int, steps: Curve) -> float:
    """The cross-entropy of equal probabilities; for another loss what the untrained network began with."""
    if loss in CROSS_ENTROPIES:
        return math.log(max(outputs, 2))
    return float(steps[0]) if len(steps) and np.isfinite(steps[0]) and steps[0] > 0 else 1.0


def _error(task: str, outputs: int, prefix: str, metrics: Mapping[str, float]) -> float | None:
    if task == "regression":
        return 1.0 - metrics[f"{prefix}r2"] if f"{prefix}r2" in metrics else None
    if f"{prefix}accuracy" not in metrics:
        return None
    return (1.0 - metrics[f"{prefix}accuracy"]) / (1.0 - 1.0 / max(outputs, 2))
