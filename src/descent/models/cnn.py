"""A small convolutional network."""

from collections.abc import Sequence

from torch import Tensor, nn

from descent.errors import UsageError
from descent.models.layers import ACTIVATIONS, IMAGE_NORMS, dropped, normed


class CNN(nn.Module):
    """Per block: convolution, norm, activation, max-pool, dropout; then global average pooling and a linear output."""

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        channels: Sequence[int],
        kernel: int = 3,
        pool: int = 2,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _refuse_collapse(input_shape, len(channels), pool)
        layers: list[nn.Module] = []
        depth = input_shape[0]
        for wider in channels:
            layers += [
                nn.Conv2d(depth, wider, kernel, padding=kernel // 2),
                *normed(IMAGE_NORMS, norm, wider),
                ACTIVATIONS[activation](),
            ]
            layers += [*([nn.MaxPool2d(pool)] if pool > 1 else []), *dropped(dropout)]
            depth = wider
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(depth, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.features(inputs))  # type: ignore[no-any-return]


def _refuse_collapse(input_shape: Sequence[int], blocks: int, pool: int) -> None:
    if len(input_shape) != 3:
        raise UsageError(f"model: got cnn, allowed mlp for inputs of shape {list(input_shape)}, which are no images")
    side = min(input_shape[1:])
    for block in range(blocks):
        if side < pool:
            raise UsageError(
                f"model.pool: got {pool}, allowed 1 to {side} (pixels left at block {block + 1}); use fewer channels"
            )
        side //= pool
