"""Weight normalisation."""

from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrizations import weight_norm

from descent.errors import UsageError
from descent.regularization.method import Method


class WeightNorm(Method):
    """Each row of a linear layer and each kernel of a convolution becomes length * v / |v|; both are learnt.

    The weights start as they would without it. A penalty acts on lengths and on v; the latter changes no output.
    """

    def join(self, model: nn.Module, outputs: int) -> None:
        for name, layer in list(model.named_modules()):
            if isinstance(layer, nn.Linear | _ConvNd):
                if bool((layer.weight.flatten(1) == 0).all(1).any()):
                    raise UsageError(
                        f"regularization: got weight_norm, allowed where weights have a direction; "
                        f"those of {name} are zero: choose another model.init"
                    )
                weight_norm(layer)
