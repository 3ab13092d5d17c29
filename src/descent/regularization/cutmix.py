"""Cutmix: a rectangle of another image, and its share of the target."""

import torch
from torch import nn
from torch.distributions import Beta

from descent.regularization.method import Batch, Method
from descent.regularization.soft_targets import soft


class Cutmix(Method):
    """In a share of the minibatches a rectangle of each image comes from a shuffled batch.

    One rectangle a minibatch: 1 - lam of the image with lam ~ Beta(alpha, alpha), its centre anywhere, cut off at the
    border. The other target counts by the area that is left of it.
    """

    rank = 35

    def __init__(self, alpha: float, share: float) -> None:
        self.alpha, self.share = alpha, share
        self._draw = Beta(torch.tensor(float(alpha)), torch.tensor(float(alpha)))

    def join(self, model: nn.Module, outputs: int) -> None:
        self._outputs = outputs

    def batch_in(self, batch: Batch) -> Batch:
        if float(torch.rand(())) >= self.share:
            return batch
        inputs, targets = batch
        height, width = inputs.shape[-2:]
        side = (1 - float(self._draw.sample())) ** 0.5
        (top, bottom), (left, right) = _span(height, side), _span(width, side)
        other = torch.randperm(len(inputs)).to(inputs.device)
        mixed = inputs.clone()
        mixed[..., top:bottom, left:right] = inputs[other][..., top:bottom, left:right]
        targets = soft(targets, self._outputs, inputs)
        kept = 1 - (bottom - top) * (right - left) / (height * width)
        return mixed, torch.lerp(targets[other], targets, kept)


def _span(size: int, side: float) -> tuple[int, int]:
    """Where a cut of that relative length around a random pixel begins and ends."""
    centre, length = int(torch.randint(size, ())), round(size * side)
    first = centre - length // 2
    return max(first, 0), min(first + length, size)
