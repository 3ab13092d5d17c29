"""The multilayer perceptron."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.layers import ACTIVATIONS, VECTOR_NORMS, dropped, normed


class MLP(nn.Module):
    """Flatten, then per hidden layer: linear, norm, activation, dropout; then a linear output."""

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        hidden: Sequence[int],
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = math.prod(input_shape)
        for wider in hidden:
            layers += [
                nn.Linear(width, wider),
                *normed(VECTOR_NORMS, norm, wider),
                ACTIVATIONS[activation](),
                *dropped(dropout),
            ]
            width = wider
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)  # type: ignore[no-any-return]
