"""The knobs of batch normalization."""

from torch import nn

from descent.models.shapes import BATCH_NORMS
from descent.regularization.method import Method


class BatchNorm(Method):
    """Sets them on every batch norm that the model has; which layers have one is the model's affair, by `norm`.

    (x - mean) / √(variance + eps), and after each minibatch statistics += momentum * (the minibatch's - statistics).
    """

    def __init__(self, norm: str, eps: float, momentum: float) -> None:
        assert norm == "batch", "the model reads it"
        self.eps, self.momentum = eps, momentum

    def join(self, model: nn.Module, outputs: int) -> None:
        for layer in model.modules():
            if isinstance(layer, BATCH_NORMS):
                layer.eps, layer.momentum = self.eps, self.momentum
