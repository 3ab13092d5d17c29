"""L2: strength * w added to the gradient."""

from collections.abc import Sequence

import torch
from torch import nn

from descent.regularization.method import Method, penalised


class L2(Method):
    """The gradient of strength/2 * |w|^2, added before the optimizer sees it: adaptive optimizers rescale it."""

    rank = 10

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        held, gradients = penalised(parameters)
        if held:
            torch._foreach_add_(gradients, held, alpha=self.strength)
