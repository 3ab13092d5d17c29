"""L2: strength * w added to the gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from descent.regularization.method import Method, weights


class L2(Method):
    """The gradient of strength/2 * |w|^2, added before the optimizer sees it: adaptive optimizers rescale it."""

    rank = 10

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        penalised: list[Tensor] = [weight for weight in weights(parameters) if weight.grad is not None]
        gradients = [weight.grad for weight in penalised if weight.grad is not None]
        if not gradients:
            return
        with torch.no_grad():
            torch._foreach_add_(gradients, penalised, alpha=self.strength)
