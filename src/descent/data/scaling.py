"""Inputs to zero mean and unit deviation, by the statistics of the training split alone."""

import torch
from torch import Tensor, nn


class Scaling(nn.Module):
    """(x - mean) / deviation, per channel of an image, per column of a table."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, training_inputs: Tensor) -> None:
        super().__init__()
        values = training_inputs.double()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        deviation, mean = torch.std_mean(values, dim=axes, correction=0)
        shape = (-1, *[1] * (values.ndim - 2))
        self.register_buffer("mean", mean.float().view(shape))
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0).float().view(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs.to(self.mean.dtype) - self.mean) / self.deviation
