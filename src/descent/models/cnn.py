"""A small convolutional network."""

from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.initialisation import initialise
from descent.models.layers import ACTIVATIONS, IMAGE_NORMS, dropped, normed
from descent.models.shapes import pooled, refuse_kernel, side_of


class CNN(nn.Module):
    """Per block: convolution, norm, activation, max-pool, dropout; then global average pooling and a linear output."""

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        channels: Sequence[int],
        filters: int | None = None,
        depth: int | None = None,
        kernel: int = 3,
        pool: int = 2,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        kernels = kernels_of(channels, filters, depth)
        _refuse_collapse(side_of(input_shape, "cnn"), len(kernels), kernel, pool)
        layers: list[nn.Module] = []
        before = input_shape[0]
        for wider in kernels:
            layers += [
                nn.Conv2d(before, wider, kernel, padding=kernel // 2),
                *normed(IMAGE_NORMS, norm, wider),
                ACTIVATIONS[activation](),
            ]
            layers += [*([nn.MaxPool2d(pool)] if pool > 1 else []), *dropped(dropout)]
            before = wider
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.features(inputs))  # type: ignore[no-any-return]


def kernels_of(channels: Sequence[int], filters: int | None, depth: int | None) -> list[int]:
    """The kernels of each block; filters and depth, where given, start at `filters` and double with every block."""
    if filters is None and depth is None:
        return list(channels)
    first = channels[0] if filters is None else filters
    return [first * 2**block for block in range(len(channels) if depth is None else depth)]


def _refuse_collapse(side: int, blocks: int, kernel: int, pool: int) -> None:
    for block in range(1, blocks + 1):
        after = pooled(side, pool, f"block {block}", "channels")
        refuse_kernel(side, kernel, f"block {block}")
        side = after
