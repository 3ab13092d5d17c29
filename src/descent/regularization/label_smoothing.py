"""Label smoothing."""

from torch import nn

from descent.regularization.method import Batch, Method
from descent.regularization.soft_targets import soft


class LabelSmoothing(Method):
    """Training targets become (1 - smoothing) * target + smoothing / classes; metrics keep the true ones."""

    rank = 60

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def join(self, model: nn.Module, outputs: int) -> None:
        self._classes = outputs

    def batch_in(self, batch: Batch) -> Batch:
        inputs, targets = batch
        kept = (1 - self.smoothing) * soft(targets, self._classes, inputs)
        return inputs, kept + self.smoothing / self._classes
