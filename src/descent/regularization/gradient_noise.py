"""Gradient noise that fades."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from descent.regularization.method import Method
from descent.reproducibility import stream


class GradientNoise(Method):
    """Adds N(0, variance / (1 + t)^decay) to every gradient, t counting the steps done.

    The draw is a function of the seed and the step: every device of several draws the same.
    """

    rank = 95

    def __init__(self, variance: float, decay: float, seed: int) -> None:
        self.variance, self.decay, self.seed = variance, decay, seed
        self._steps = 0

    def prepare(self, model: nn.Module) -> None:
        self._random = torch.Generator(next(model.parameters()).device)

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        self._random.manual_seed(stream(self.seed, "gradient noise", self._steps))
        deviation = (self.variance / (1 + self._steps) ** self.decay) ** 0.5
        for parameter in parameters:
            if parameter.grad is not None:
                drawn = torch.empty_like(parameter.grad).normal_(0.0, deviation, generator=self._random)
                parameter.grad.add_(drawn)

    def after_step(self, parameters: Sequence[nn.Parameter]) -> None:
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps = state["steps"]
