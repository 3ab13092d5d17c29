"""Gradient clipping by norm."""

from collections.abc import Sequence

from torch import nn
from torch.nn.utils import clip_grad_norm_

from descent.regularization.method import Method


class GradientClipping(Method):
    """Scales the whole gradient to max_norm where it is longer."""

    rank = 90

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        clip_grad_norm_(parameters, self.max_norm)
