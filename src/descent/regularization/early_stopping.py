"""Early stopping."""

from collections.abc import Mapping
from typing import Any

from descent.regularization.method import Method
from descent.vocabulary import Direction, is_better, worst


class EarlyStopping(Method):
    """Ends the training after `patience` epochs in a row without an improvement of more than min_delta."""

    def __init__(self, monitor: str, direction: Direction, patience: int, min_delta: float) -> None:
        self.monitor, self.direction, self.patience, self.min_delta = monitor, direction, patience, min_delta
        self._best, self._waited = worst(direction), 0

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        if self.monitor not in metrics:
            return None  # an epoch without validation
        if is_better(metrics[self.monitor], self._best, self.direction, self.min_delta):
            self._best, self._waited = metrics[self.monitor], 0
            return None
        self._waited += 1
        if self._waited < self.patience:
            return None
        return f"{self.monitor} has not improved on {self._best:.6g} for {self.patience} epochs"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]
