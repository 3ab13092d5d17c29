"""Evaluation with averaged weights in the place of the trained ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from descent.regularization.method import Method


class Averaging(Method):
    """Keeps one average of all weights and running statistics; a strategy says when it takes them in and how much."""

    def __init__(self) -> None:
        self.taken = 0
        self._average: list[Tensor] = []

    def prepare(self, model: nn.Module) -> None:
        self._own = [tensor.detach() for tensor in model.state_dict().values() if tensor.is_floating_point()]
        if not self._average:
            self._average = [tensor.clone() for tensor in self._own]

    def take(self, weight: float) -> None:
        """average += weight * (now - average)."""
        self.taken += 1
        torch._foreach_lerp_(self._average, self._own, weight)

    @contextmanager
    def evaluate(self, model: nn.Module) -> Iterator[None]:
        if not self.taken:
            yield
            return
        trained = [tensor.clone() for tensor in self._own]
        self._put(self._average)
        try:
            yield
        finally:
            self._put(trained)

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._own, values)

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken, "average": self._average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.taken = state["taken"]
        for average, saved in zip(self._average, state["average"], strict=True):
            average.copy_(saved)
