"""Gradient clipping, of the whole norm and of single values."""

from collections.abc import Sequence

from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from descent.regularization.method import Method


class GradientClipping(Method):
    """Each value is cut to ±max_value, then the whole gradient scaled to max_norm where it is longer; null: not."""

    rank = 90

    def __init__(self, max_norm: float | None, max_value: float | None = None) -> None:
        self.max_norm, self.max_value = max_norm, max_value

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        if self.max_value is not None:
            clip_grad_value_(parameters, self.max_value)
        if self.max_norm is not None:
            clip_grad_norm_(parameters, self.max_norm)
