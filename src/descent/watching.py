"""Somebody looks at a training's objective after each epoch and may end it."""

from collections.abc import Callable, Mapping

from descent.regularization.method import Method

PRUNED = "pruned"
Report = Callable[[float, int], bool]
"""Takes the objective and the epoch; answers whether the training is to end."""


class Watch(Method):
    """Reports every epoch but the last, at which nothing is left to be saved."""

    rank = 90

    def __init__(self, objective: str, epochs: int, report: Report) -> None:
        self._objective, self._epochs, self._report = objective, epochs, report

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        if self._objective not in metrics or epoch + 1 >= self._epochs:
            return None
        return PRUNED if self._report(metrics[self._objective], epoch) else None
