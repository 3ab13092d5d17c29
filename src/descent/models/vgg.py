"""A VGG-style network: blocks of several convolutions, each block halving the image."""

from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.initialisation import initialise
from descent.models.layers import ACTIVATIONS, IMAGE_NORMS, dropped, normed
from descent.models.shapes import pooled, refuse_kernel, side_of


class VGG(nn.Module):
    """Per block: convolutions, each with its activation and norm in the given order, then max-pool and dropout;

    after the blocks global average pooling and a linear output.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        blocks: Sequence[Sequence[int]],
        kernel: int = 3,
        pool: int = 2,
        order: str = "activation_norm",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        _refuse_collapse(side_of(input_shape, "vgg"), len(blocks), kernel, pool)
        layers: list[nn.Module] = []
        before = input_shape[0]
        for block in blocks:
            for wider in block:
                after = [ACTIVATIONS[activation](), *normed(IMAGE_NORMS, norm, wider)]
                layers.append(nn.Conv2d(before, wider, kernel, padding=kernel // 2))
                layers += after if order == "activation_norm" else reversed(after)
                before = wider
            layers += [*([nn.MaxPool2d(pool)] if pool > 1 else []), *dropped(dropout)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.features(inputs))  # type: ignore[no-any-return]


def _refuse_collapse(side: int, blocks: int, kernel: int, pool: int) -> None:
    for block in range(1, blocks + 1):
        after = pooled(side, pool, f"block {block}", "blocks")
        refuse_kernel(side, kernel, f"block {block}")
        side = after
