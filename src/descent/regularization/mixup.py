"""Mixup: training on points between two samples."""

import torch
from torch import nn
from torch.distributions import Beta

from descent.regularization.method import Batch, Method
from descent.regularization.soft_targets import soft


class Mixup(Method):
    """A share of the minibatches becomes lam * batch + (1 - lam) * shuffled batch, inputs and targets alike.

    One lam ~ Beta(alpha, alpha) a minibatch.
    """

    rank = 30

    def __init__(self, alpha: float, share: float) -> None:
        self.alpha, self.share = alpha, share
        self._draw = Beta(torch.tensor(float(alpha)), torch.tensor(float(alpha)))

    def join(self, model: nn.Module, outputs: int) -> None:
        self._outputs = outputs

    def batch_in(self, batch: Batch) -> Batch:
        if float(torch.rand(())) >= self.share:
            return batch
        lam, (inputs, targets) = float(self._draw.sample()), batch
        other = torch.randperm(len(inputs)).to(inputs.device)
        targets = soft(targets, self._outputs, inputs)
        return torch.lerp(inputs[other], inputs, lam), torch.lerp(targets[other], targets, lam)
