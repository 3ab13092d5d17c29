"""Learning rates over time, as factors of the run's lr.

A schedule is a formula of the position, so that it can be drawn, resumed and stretched; Plateau alone has a memory.
"""

import math
from collections.abc import Mapping
from typing import Any

from descent.vocabulary import Direction, is_better, worst


class Schedule:
    """`interval` says what a position counts: epochs or steps."""

    interval: str

    def factor(self, position: int, total: int) -> float:
        """What lr is multiplied by at a position of `total`."""
        raise NotImplementedError

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        """What an epoch measured; most schedules do not care."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        assert not state


class Constant(Schedule):
    def __init__(self, interval: str = "epoch") -> None:
        self.interval = interval

    def factor(self, position: int, total: int) -> float:
        return 1.0


class Step(Schedule):
    """gamma ^ floor(position / every)."""

    def __init__(self, every: int, gamma: float, interval: str) -> None:
        self.every, self.gamma, self.interval = every, gamma, interval

    def factor(self, position: int, total: int) -> float:
        return float(self.gamma ** (position // self.every))


class Cosine(Schedule):
    """minimum + (1 - minimum) * (1 + cos(pi * position / total)) / 2."""

    def __init__(self, minimum: float, interval: str) -> None:
        self.minimum, self.interval = minimum, interval

    def factor(self, position: int, total: int) -> float:
        return self.minimum + (1 - self.minimum) * (1 + math.cos(math.pi * position / total)) / 2


class Plateau(Schedule):
    """Multiplied by factor at the end of the `patience`-th epoch in a row without improvement, as Keras counts."""

    def __init__(
        self,
        monitor: str,
        direction: Direction,
        factor: float,
        patience: int,
        threshold: float,
        minimum: float,
        interval: str,
    ) -> None:
        self.monitor, self.direction, self.multiplier = monitor, direction, factor
        self.patience, self.threshold, self.minimum, self.interval = patience, threshold, minimum, interval
        self._best, self._waited, self._factor = worst(direction), 0, 1.0

    def factor(self, position: int, total: int) -> float:
        return self._factor

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        if self.monitor not in metrics:
            return  # an epoch without validation
        if is_better(metrics[self.monitor], self._best, self.direction, self.threshold):
            self._best, self._waited = metrics[self.monitor], 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._factor, self._waited = max(self._factor * self.multiplier, self.minimum), 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited, "factor": self._factor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._waited, self._factor = state["best"], state["waited"], state["factor"]
