"""Elastic net: L1 and L2 in one penalty."""

from collections.abc import Sequence

import torch
from torch import nn

from descent.regularization.method import Method, penalised


class ElasticNet(Method):
    """A subgradient of strength * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)."""

    rank = 10

    def __init__(self, strength: float, l1_ratio: float) -> None:
        self.absolute, self.square = strength * l1_ratio, strength * (1 - l1_ratio)

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        held, gradients = penalised(parameters)
        if held and self.absolute:
            torch._foreach_add_(gradients, torch._foreach_sign(held), alpha=self.absolute)
        if held and self.square:
            torch._foreach_add_(gradients, held, alpha=self.square)
