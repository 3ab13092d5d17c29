"""L1: strength * sign(w) added to the gradient."""

from collections.abc import Sequence

import torch
from torch import nn

from descent.regularization.method import Method, penalised


class L1(Method):
    """A subgradient of strength * |w|_1, nothing at 0: the same pull on a small weight as on a large one."""

    rank = 10

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        held, gradients = penalised(parameters)
        if held:
            torch._foreach_add_(gradients, torch._foreach_sign(held), alpha=self.strength)
