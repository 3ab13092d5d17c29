"""Learning rates over time, as factors of the run's lr, by formula of the position.

So they can be drawn, resumed and stretched. Plateau, which has a memory, is in plateau.py; warm-up in warmup.py.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any


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


class Multistep(Schedule):
    """gamma ^ (how many milestones have been reached)."""

    def __init__(self, milestones: Sequence[int], gamma: float, interval: str) -> None:
        self.milestones, self.gamma, self.interval = milestones, gamma, interval

    def factor(self, position: int, total: int) -> float:
        return float(self.gamma ** sum(position >= milestone for milestone in self.milestones))


class Exponential(Schedule):
    """gamma ^ position."""

    def __init__(self, gamma: float, interval: str) -> None:
        self.gamma, self.interval = gamma, interval

    def factor(self, position: int, total: int) -> float:
        return float(self.gamma**position)


class InverseTime(Schedule):
    """1 / (1 + k * position)."""

    def __init__(self, k: float, interval: str) -> None:
        self.k, self.interval = k, interval

    def factor(self, position: int, total: int) -> float:
        return 1 / (1 + self.k * position)


class Polynomial(Schedule):
    """minimum + (1 - minimum) * (1 - position / total) ^ power."""

    def __init__(self, power: float, minimum: float, interval: str) -> None:
        self.power, self.minimum, self.interval = power, minimum, interval

    def factor(self, position: int, total: int) -> float:
        return float(self.minimum + (1 - self.minimum) * (1 - position / total) ** self.power)


class Cosine(Schedule):
    """minimum + (1 - minimum) * (1 + cos(pi * position / total)) / 2."""

    def __init__(self, minimum: float, interval: str) -> None:
        self.minimum, self.interval = minimum, interval

    def factor(self, position: int, total: int) -> float:
        return between(1.0, self.minimum, position / total)


class CosineRestarts(Schedule):
    """Half a cosine from 1 to minimum, again and again: `first` long, and each `growth` times as long as the last."""

    def __init__(self, first: int, growth: int, minimum: float, interval: str) -> None:
        self.first, self.growth, self.minimum, self.interval = first, growth, minimum, interval

    def factor(self, position: int, total: int) -> float:
        length = self.first
        if self.growth == 1:
            position %= length
        while position >= length:
            position, length = position - length, length * self.growth
        return between(1.0, self.minimum, position / length)


class OneCycle(Schedule):
    """Half a cosine from start up to 1 over a part `rise` of the run, and half a cosine down to minimum."""

    def __init__(self, start: float, rise: float, minimum: float, interval: str) -> None:
        self.start, self.rise, self.minimum, self.interval = start, rise, minimum, interval

    def factor(self, position: int, total: int) -> float:
        done = position / total
        if done < self.rise:
            return between(self.start, 1.0, done / self.rise)
        return between(1.0, self.minimum, (done - self.rise) / (1 - self.rise))


def between(begin: float, end: float, done: float) -> float:
    """Along half a cosine."""
    return end + (begin - end) * (1 + math.cos(math.pi * done)) / 2
