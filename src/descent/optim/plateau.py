"""The learning rate that falls when nothing improves any more."""

from collections.abc import Mapping
from typing import Any, Literal

from descent.optim.schedules import Schedule
from descent.vocabulary import Direction, is_better, worst


class Stagnation:
    """Counts epochs in a row without improvement, as Keras does, and begins anew once there were `patience` of them.

    An improvement is larger than `threshold`, or, if that is relative, than this fraction of the best value's size.
    """

    def __init__(
        self,
        monitor: str,
        direction: Direction,
        patience: int,
        threshold: float,
        threshold_mode: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        self.monitor, self.direction, self.patience, self.threshold = monitor, direction, patience, threshold
        self.relative = threshold_mode == "relative"
        self._best, self._waited = worst(direction), 0

    def ends_with(self, metrics: Mapping[str, float]) -> bool:
        """Whether this epoch is the `patience`-th in a row."""
        if self.monitor not in metrics:
            return False  # an epoch without validation
        if is_better(metrics[self.monitor], self._best, self.direction, self._margin()):
            self._best, self._waited = metrics[self.monitor], 0
            return False
        self._waited = (self._waited + 1) % self.patience
        return self._waited == 0

    def _margin(self) -> float:
        if not self.relative:
            return self.threshold
        return 0.0 if self._best == worst(self.direction) else self.threshold * abs(self._best)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]


class Plateau(Schedule):
    """Multiplied by factor at the end of the `patience`-th epoch in a row without improvement."""

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
        self.multiplier, self.minimum, self.interval = factor, minimum, interval
        self._stagnation = Stagnation(monitor, direction, patience, threshold, threshold_mode)
        self._factor = 1.0

    def factor(self, position: int, total: int) -> float:
        return self._factor

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        if self._stagnation.ends_with(metrics):
            self._factor = max(self._factor * self.multiplier, self.minimum)

    def state_dict(self) -> dict[str, Any]:
        return {**self._stagnation.state_dict(), "factor": self._factor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._stagnation.load_state_dict(state)
        self._factor = state["factor"]
