"""Targets between classes: a row of probabilities each, which every loss of classes takes."""

import torch.nn.functional as F
from torch import Tensor


def soft(targets: Tensor, classes: int, like: Tensor) -> Tensor:
    """Class numbers as rows of probabilities; what is soft already, or a number to predict, as it is."""
    return targets if targets.is_floating_point() else F.one_hot(targets, classes).to(like.dtype)
