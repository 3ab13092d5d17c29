"""The multilayer perceptron."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.initialisation import initialise
from descent.models.layers import ACTIVATIONS, VECTOR_NORMS, dropped, normed
from descent.rules import refuse


class MLP(nn.Module):
    """Flatten, then per hidden layer: linear, norm, activation, dropout; then a linear output."""

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        hidden: Sequence[int],
        depth: int | None = None,
        width: int | None = None,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        before = math.prod(input_shape)
        for wider in widths(hidden, depth, width):
            layers += [
                nn.Linear(before, wider),
                *normed(VECTOR_NORMS, norm, wider),
                ACTIVATIONS[activation](),
                *dropped(dropout),
            ]
            before = wider
        self.layers = nn.Sequential(*layers, nn.Linear(before, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)  # type: ignore[no-any-return]


def widths(hidden: Sequence[int], depth: int | None, width: int | None) -> list[int]:
    """The hidden widths; depth and width, where given, stand for `depth` equal layers and override the list."""
    if depth is None and width is None:
        return list(hidden)
    layers = len(hidden) if depth is None else depth
    if layers and width is None and not hidden:
        raise refuse("model.depth", depth, "with model.width, as model.hidden is []", "set model.width=…")
    return [hidden[0] if width is None else width] * layers
