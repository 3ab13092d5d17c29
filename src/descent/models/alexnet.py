"""AlexNet, sized for small images."""

from collections.abc import Sequence

from torch import Tensor, nn

from descent.errors import UsageError
from descent.models.initialisation import initialise
from descent.models.layers import ACTIVATIONS, IMAGE_NORMS, dropped, normed
from descent.models.shapes import side_of

POOLED = (1, 2, 5)  # the convolutions that a max-pool of 2 follows


class AlexNet(nn.Module):
    """Five 3x3 convolutions, max-pool after the 1st, 2nd and 5th; then dropout and linear layers, as in the paper.

    Its strides, its 11x11 kernel and its local response norm are for images of 224 pixels and left out.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        channels: Sequence[int] = (64, 192, 384, 256, 256),
        hidden: Sequence[int] = (512, 512),
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        _refuse_collapse(side_of(input_shape, "alexnet"))
        layers: list[nn.Module] = []
        before, height, width = input_shape
        for layer, wider in enumerate(channels, 1):
            layers += [nn.Conv2d(before, wider, 3, padding=1), *normed(IMAGE_NORMS, norm, wider)]
            layers += [ACTIVATIONS[activation](), *([nn.MaxPool2d(2)] if layer in POOLED else [])]
            before = wider
        self.features = nn.Sequential(*layers, nn.Flatten())
        before *= (height >> len(POOLED)) * (width >> len(POOLED))
        dense: list[nn.Module] = []
        for wider in hidden:
            dense += [*dropped(dropout), nn.Linear(before, wider), ACTIVATIONS[activation]()]
            before = wider
        self.head = nn.Sequential(*dense, nn.Linear(before, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.features(inputs))  # type: ignore[no-any-return]


def _refuse_collapse(side: int) -> None:
    for pools, layer in enumerate(POOLED):
        if side >> pools < 2:
            raise UsageError(
                f"model: got alexnet on images of {side} pixels a side, allowed {2 ** len(POOLED)} or more "
                f"(convolution {layer} leaves too few to pool); use larger images or model=cnn"
            )
