"""An exponential moving average of the weights."""

from collections.abc import Sequence

from torch import nn

from descent.regularization.averaging import Averaging


class EMA(Averaging):
    """After step t the weights count decay^0, the ones before decay^1, …, over the sum of these: no start to forget."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def after_step(self, parameters: Sequence[nn.Parameter]) -> None:
        self.take((1 - self.decay) / (1 - self.decay ** (self.taken + 1)))
