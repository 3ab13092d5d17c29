"""Sharpness-aware minimisation: the gradient of a step is taken where the loss nearby is worst."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from descent.regularization.method import Gradients, Method, StepOwner, make_step


class SAM(Method, StepOwner):
    """Two passes a step: uphill by radius * g / |g|, the gradient there, back, and the optimizer's step with it.

    Both passes see the same minibatch with the same noise; running statistics of norms move in the first alone.
    """

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def prepare(self, model: nn.Module) -> None:
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
        self._statistics = [buffer for layer in norms for buffer in layer.buffers()]

    def step(self, gradients: Gradients, optimizer: Optimizer) -> Tensor:
        loss = gradients()
        held: list[Tensor] = [parameter for parameter in self._parameters if parameter.grad is not None]
        with torch.no_grad():
            own = [parameter.clone() for parameter in held]
            slopes = [parameter.grad for parameter in held if parameter.grad is not None]
            factor = self.radius / (torch.nn.utils.get_total_norm(slopes) + 1e-12)
            for parameter, slope in zip(held, slopes, strict=True):
                parameter.addcmul_(slope, factor)
            statistics = [buffer.clone() for buffer in self._statistics]
        gradients()
        with torch.no_grad():
            for tensor, before in zip([*held, *self._statistics], [*own, *statistics], strict=True):
                tensor.copy_(before)
        make_step(optimizer)
        return loss
