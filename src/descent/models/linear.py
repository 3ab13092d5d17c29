"""The linear model."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.initialisation import initialise


class Linear(nn.Module):
    """Flatten, then one linear layer: with cross-entropy logistic regression, with mse linear regression."""

    def __init__(self, input_shape: Sequence[int], outputs: int, init: str = "default") -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)  # type: ignore[no-any-return]
