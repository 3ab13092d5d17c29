"""The learning rate that falls when nothing improves any more."""

from collections.abc import Mapping
from typing import Any, Literal

from descent.optim.schedules import Schedule
from descent.vocabulary import Direction, is_better, worst


class Plateau(Schedule):
    """Multiplied by factor at the end of the `patience`-th epoch in a row without improvement, as Keras counts.

    An improvement is larger than `threshold`, or, if that is relative, than this fraction of the best value's size.
    """

    def __init__(
        self,
        monitor: str,
        direction: Direction,
        factor: float,
        patience: int,
        threshold: float,
        minimum: float,
        interval: str,
        threshold_mode: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        self.monitor, self.direction, self.multiplier = monitor, direction, factor
        self.patience, self.threshold, self.minimum, self.interval = patience, threshold, minimum, interval
        self.relative = threshold_mode == "relative"
        self._best, self._waited, self._factor = worst(direction), 0, 1.0

    def factor(self, position: int, total: int) -> float:
        return self._factor

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        if self.monitor not in metrics:
            return  # an epoch without validation
        if is_better(metrics[self.monitor], self._best, self.direction, self._margin()):
            self._best, self._waited = metrics[self.monitor], 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._factor, self._waited = max(self._factor * self.multiplier, self.minimum), 0

    def _margin(self) -> float:
        if not self.relative:
            return self.threshold
        return 0.0 if self._best == worst(self.direction) else self.threshold * abs(self._best)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited, "factor": self._factor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited, self._factor = state["best"], state["waited"], state["factor"]
