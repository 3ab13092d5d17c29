"""Which weights a run reports: the best epoch's, or the last one's."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from descent.vocabulary import Direction, is_better, worst


class BestWeights:
    """Keeps a copy of the best epoch's weights by the objective; with `keep=False` it only remembers which it was."""

    def __init__(self, objective: str, direction: Direction, keep: bool) -> None:
        self.objective, self.direction, self.keep = objective, direction, keep
        self.epoch: int | None = None
        self.value = worst(direction)
        self._copies: list[Tensor] = []

    def offer(self, epoch: int, metrics: Mapping[str, float], model: nn.Module) -> None:
        """Take the weights if they are better than the best so far."""
        value = metrics.get(self.objective, float("nan"))
        if not is_better(value, self.value, self.direction):
            return
        self.epoch, self.value = epoch, value
        if self.keep:
            self.take(model)

    def take(self, model: nn.Module) -> None:
        """The weights as they are now are the ones to restore."""
        current = list(model.state_dict().values())
        if not self._copies:
            self._copies = [tensor.detach().clone() for tensor in current]
            return
        with torch.no_grad():
            torch._foreach_copy_(self._copies, current)

    def restore(self, model: nn.Module) -> None:
        """Put the best epoch's weights back, where there are any."""
        with torch.no_grad():
            for tensor, copy in zip(model.state_dict().values(), self._copies, strict=False):
                tensor.copy_(copy)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "value": self.value, "copies": self._copies}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.epoch, self.value = state["epoch"], state["value"]
        self._copies = [tensor.to(device) for tensor in state["copies"]]
