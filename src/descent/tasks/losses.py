"""Losses: functions of a batch's outputs and targets, means over the batch."""

import torch.nn.functional as F
from torch import Tensor

from descent.vocabulary import LOSS


class CrossEntropy:
    """-log softmax(outputs)[target]."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets)


class MSE:
    """Mean over samples and outputs of the squared error; class targets count as their one-hot code."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.dtype.is_floating_point:
            return F.mse_loss(outputs, targets.to(outputs.dtype))
        return F.mse_loss(outputs, F.one_hot(targets, outputs.shape[1]).to(outputs.dtype))


def for_task(task: str) -> CrossEntropy | MSE:
    """The loss that a task takes for granted."""
    return CrossEntropy() if LOSS[task] == "cross_entropy" else MSE()
