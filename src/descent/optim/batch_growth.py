"""When minibatches grow in a training, and how lr follows. How large they then are is pace.py's to say."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from descent.optim.plateau import Stagnation
from descent.vocabulary import Direction

Largest = int | Literal["full"]
ScaleLr = Literal["none", "linear", "sqrt"]
POWERS = {"none": 0.0, "sqrt": 0.5, "linear": 1.0}


class Growth:
    """Each time minibatches become `factor` times as large, up to `largest` samples."""

    milestones: Sequence[int] = ()  # epochs from which on it is known beforehand that they are larger

    def __init__(self, factor: float, largest: Largest, scale_lr: ScaleLr) -> None:
        self.factor, self.largest, self.power = factor, largest, POWERS[scale_lr]

    def times(self, epoch: int) -> int:
        """How often they have grown when that epoch begins, the current one or a later one."""
        raise NotImplementedError

    def reached(self, epochs: int) -> Sequence[int]:
        """Every number of times that there can be within so many epochs, from 0 on."""
        raise NotImplementedError

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        """What an epoch measured."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        assert not state


class Fixed(Growth):
    """They never grow."""

    def __init__(self) -> None:
        super().__init__(1.0, "full", "none")

    def times(self, epoch: int) -> int:
        return 0

    def reached(self, epochs: int) -> Sequence[int]:
        return [0]


class AtMilestones(Growth):
    """They grow at the beginning of each of these epochs."""

    def __init__(self, milestones: Sequence[int], factor: float, largest: Largest, scale_lr: ScaleLr) -> None:
        super().__init__(factor, largest, scale_lr)
        self.milestones = milestones

    def times(self, epoch: int) -> int:
        return sum(epoch >= milestone for milestone in self.milestones)

    def reached(self, epochs: int) -> Sequence[int]:
        return sorted({0} | {self.times(milestone) for milestone in self.milestones if milestone < epochs})


class AtPlateaus(Growth):
    """They grow after `patience` epochs in a row without improvement, counted as the plateau scheduler counts."""

    def __init__(
        self,
        monitor: str,
        direction: Direction,
        patience: int,
        threshold: float,
        threshold_mode: Literal["absolute", "relative"],
        factor: float,
        largest: Largest,
        scale_lr: ScaleLr,
    ) -> None:
        super().__init__(factor, largest, scale_lr)
        self.patience = patience
        self._stagnation = Stagnation(monitor, direction, patience, threshold, threshold_mode)
        self._times = 0

    def times(self, epoch: int) -> int:
        return self._times

    def reached(self, epochs: int) -> Sequence[int]:
        return range((epochs - 1) // self.patience + 1)

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        self._times += self._stagnation.ends_with(metrics)

    def state_dict(self) -> dict[str, Any]:
        return {"times": self._times, **self._stagnation.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._times = state["times"]
        self._stagnation.load_state_dict(state)
