"""Inputs to zero mean and unit deviation, by the statistics of the training split alone."""

import torch
from torch import Tensor, nn

BLOCK = 4096


class Scaling(nn.Module):
    """(x - mean) / deviation, per channel of an image, per column of a table."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, training_inputs: Tensor) -> None:
        super().__init__()
        mean, deviation = _statistics(training_inputs)
        shape = (-1, *[1] * (training_inputs.ndim - 2))
        self.register_buffer("mean", mean.float().view(shape))
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0).float().view(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs.to(self.mean.dtype) - self.mean) / self.deviation


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
