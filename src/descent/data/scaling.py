"""Inputs in a range that suits training, by the statistics of the training split alone."""

import torch
from torch import Tensor, nn

BLOCK = 4096
BYTE = 255.0


class Scaling(nn.Module):
    """(x - mean) / deviation, per channel of an image, per column of a table.

    `unit` maps the training rows into 0 to 1, bytes by 255 whatever they hold. `none` and tokens stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, training_inputs: Tensor, kind: str = "standard") -> None:
        super().__init__()
        self.tokens = training_inputs.dtype == torch.int64
        mean, deviation = _fitted("none" if self.tokens else kind, training_inputs)
        shape = (-1, *[1] * (training_inputs.ndim - 2))
        self.register_buffer("mean", mean.float().view(shape))
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0).float().view(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        if self.tokens:
            return inputs
        return torch.sub(inputs.to(self.mean.dtype), self.mean).div_(self.deviation)  # in place: a copy less


def _fitted(kind: str, values: Tensor) -> tuple[Tensor, Tensor]:
    """What is taken away, and what is divided by, along axis 1."""
    if kind == "standard":
        return _statistics(values)
    zeros = torch.zeros(values.shape[1])
    if kind == "none":
        return zeros, zeros + 1
    return (zeros, zeros + BYTE) if values.dtype == torch.uint8 else _range(values)


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation along axis 1, in float64, a block of rows at a time: the rows may be memory-mapped."""
    axes = [axis for axis in range(values.ndim) if axis != 1]
    seen, mean, squares = 0, torch.zeros(()), torch.zeros(())
    for block in torch.split(values, BLOCK):
        variance, centre = torch.var_mean(block.double(), dim=axes, correction=0)
        rows, gap = len(block), centre - mean
        squares = squares + variance * rows + gap**2 * seen * rows / (seen + rows)
        mean = mean + gap * rows / (seen + rows)
        seen += rows
    return mean, (squares / seen).sqrt()


def _range(values: Tensor) -> tuple[Tensor, Tensor]:
    """The least value, and how far it is to the largest, along axis 1."""
    axes = [axis for axis in range(values.ndim) if axis != 1]
    blocks = [block.double() for block in torch.split(values, BLOCK)]
    least = torch.stack([block.amin(axes) for block in blocks]).amin(0)
    return least, torch.stack([block.amax(axes) for block in blocks]).amax(0) - least
