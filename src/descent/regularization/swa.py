"""Stochastic weight averaging: the mean of the weights at the ends of the last epochs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from descent.regularization.averaging import Averaging


class SWA(Averaging):
    """The plain mean of the weights at the end of every epoch after the first `start` of all `epochs`.

    An epoch's weights are taken in when they are first to be evaluated, so that its metrics are the new mean's. A
    training that is extended begins its mean anew, where the longer one would have begun it.
    """

    def __init__(self, start: float, epochs: int) -> None:
        super().__init__()
        self._left_out = int(start * epochs)
        self._ended, self._stepped = 0, False

    def after_step(self, parameters: Sequence[nn.Parameter]) -> None:
        self._stepped = True

    @contextmanager
    def evaluate(self, model: nn.Module) -> Iterator[None]:
        if self._stepped:
            self._ended, self._stepped = self._ended + 1, False
            if self._ended > self._left_out:
                self.take(1 / (self.taken + 1))
        with super().evaluate(model):
            yield

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "ended": self._ended, "stepped": self._stepped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._ended, self._stepped = state["ended"], state["stepped"]
        if self._ended <= self._left_out:
            self.taken = 0
