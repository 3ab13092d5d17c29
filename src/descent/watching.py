"""Somebody looks at a training's objective after each epoch, and may end it."""

import math
from collections.abc import Callable, Mapping
from statistics import fmean

from descent.regularization.method import Method

PRUNED = "pruned"
Report = Callable[[float, int], bool]
"""Takes the objective and the epoch, or the repeat; answers whether that is enough."""
Told = Callable[[int, int, float], None]
"""Takes how many epochs are done, of how many, and the objective."""


def of_repeats(report: Report, repeats: int, each: bool) -> Callable[[list[float]], str | None]:
    """Reports the mean of the repeats so far, or each one's own objective; at the last nothing is left to be saved."""

    def told(objectives: list[float]) -> str | None:
        place = len(objectives) - 1
        enough = report(objectives[-1] if each else fmean(objectives), place)
        return PRUNED if enough and place + 1 < repeats else None

    return told


class Watch(Method):
    """Reports every epoch but the last, at which nothing is left to be saved."""

    rank = 90

    def __init__(self, objective: str, epochs: int, report: Report) -> None:
        self._objective, self._epochs, self._report = objective, epochs, report

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        if self._objective not in metrics or epoch + 1 >= self._epochs:
            return None
        return PRUNED if self._report(metrics[self._objective], epoch) else None


class Telling(Method):
    """Says every epoch how far the training has come."""

    rank, only_looks = 91, True

    def __init__(self, objective: str, epochs: int, told: Told) -> None:
        self._objective, self._epochs, self._told = objective, epochs, told

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        self._told(epoch + 1, self._epochs, metrics.get(self._objective, math.nan))
        return None
