"""Early stopping."""

from collections.abc import Mapping
from typing import Any

from descent.regularization.method import Method
from descent.vocabulary import Direction, is_better, worst

GRADIENT = "train/gradient_norm"


class EarlyStopping(Method):
    """Ends the training by the first of three: what is null is not asked.

    `patience` epochs in a row without an improvement of more than min_delta; the monitored metric at `target` or
    better; the gradient of the epoch's last step no longer than `gradient_norm`.
    """

    def __init__(
        self,
        monitor: str,
        direction: Direction,
        patience: int | None,
        min_delta: float,
        target: float | None = None,
        gradient_norm: float | None = None,
    ) -> None:
        self.monitor, self.direction, self.patience, self.min_delta = monitor, direction, patience, min_delta
        self.target, self.gradient_norm = target, gradient_norm
        self._best, self._waited = worst(direction), 0

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        if self.gradient_norm is not None and metrics[GRADIENT] <= self.gradient_norm:
            return f"{GRADIENT} {metrics[GRADIENT]:.3g} is within {self.gradient_norm:g}"
        if self.monitor not in metrics:
            return None  # an epoch without validation
        return self._reached(metrics[self.monitor]) or self._stalled(metrics[self.monitor])

    def _reached(self, value: float) -> str | None:
        if self.target is None or not (value == self.target or is_better(value, self.target, self.direction)):
            return None
        return f"{self.monitor} {value:.6g} has reached {self.target:g}"

    def _stalled(self, value: float) -> str | None:
        if is_better(value, self._best, self.direction, self.min_delta):
            self._best, self._waited = value, 0
            return None
        self._waited += 1
        if self.patience is None or self._waited < self.patience:
            return None
        return f"{self.monitor} has not improved on {self._best:.6g} for {self.patience} epochs"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]
