"""A residual network, sized for small images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from descent.errors import UsageError
from descent.models.initialisation import initialise
from descent.models.layers import ACTIVATIONS, IMAGE_NORMS, dropped, normed
from descent.models.shapes import side_of


class ResNet(nn.Module):
    """A 3x3 convolution, then stages of `depth` residual blocks, each stage but the first halving the image;

    then global average pooling, dropout and a linear output. With stochastic depth p the branch of the last block is
    left out of a sample with probability p while training, those before it with a share of p that grows with depth.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        channels: Sequence[int] = (16, 32, 64),
        depth: int = 2,
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        _refuse_collapse(side_of(input_shape, "resnet"), len(channels))
        count = len(channels) * depth
        before = channels[0]
        self.stem = nn.Sequential(*_convolution(input_shape[0], before, 3, 1, norm), ACTIVATIONS[activation]())
        blocks: list[nn.Module] = []
        for stage, wider in enumerate(channels):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                skip = stochastic_depth * (len(blocks) + 1) / count
                blocks.append(Residual(before, wider, stride, activation, norm, skip))
                before = wider
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dropped(dropout), nn.Linear(before, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(inputs)))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """activation(shortcut(x) + convolution(activation(convolution(x)))), a norm after each convolution."""

    def __init__(self, before: int, wider: int, stride: int, activation: str, norm: str, skip: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(before, wider, 3, stride, norm),
            ACTIVATIONS[activation](),
            *_convolution(wider, wider, 3, 1, norm),
        )
        self.shortcut = nn.Sequential(
            *(_convolution(before, wider, 1, stride, norm) if stride > 1 or before != wider else [])
        )
        self.activation = ACTIVATIONS[activation]()
        self.skip = skip

    def forward(self, inputs: Tensor) -> Tensor:
        branch = self.branch(inputs)
        if self.training and self.skip > 0:
            branch = branch * _kept(branch, self.skip)
        return self.activation(self.shortcut(inputs) + branch)  # type: ignore[no-any-return]


def _kept(branch: Tensor, skip: float) -> Tensor:
    """0 with probability skip and else 1/(1 - skip), a draw per sample: the mean stays."""
    if skip == 1:
        return branch.new_zeros(())
    return torch.empty_like(branch[:, :1, :1, :1]).bernoulli_(1 - skip).div_(1 - skip)


def _convolution(before: int, wider: int, kernel: int, stride: int, norm: str) -> list[nn.Module]:
    """A norm has a bias of its own: the convolution before it needs none."""
    bias = norm == "none"
    return [
        nn.Conv2d(before, wider, kernel, stride, padding=kernel // 2, bias=bias),
        *normed(IMAGE_NORMS, norm, wider),
    ]


def _refuse_collapse(side: int, stages: int) -> None:
    for stage in range(1, stages):
        if side < 2:
            raise UsageError(
                f"model.channels: got {stages} stages, allowed 1 to {stage} "
                f"(stage {stage + 1} would halve one pixel); use fewer channels or larger images"
            )
        side = -(-side // 2)
