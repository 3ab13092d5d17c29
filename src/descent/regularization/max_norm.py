"""Max-norm: no unit's incoming weights are longer than that."""

from collections.abc import Sequence

import torch
from torch import nn

from descent.regularization.method import Method, weights


class MaxNorm(Method):
    """After each step, every row of a weight (every kernel of a convolution) is scaled back to `longest`."""

    def __init__(self, longest: float) -> None:
        self.longest = longest

    def after_step(self, parameters: Sequence[nn.Parameter]) -> None:
        with torch.no_grad():
            for weight in weights(parameters):
                weight.renorm_(2, 0, self.longest)
