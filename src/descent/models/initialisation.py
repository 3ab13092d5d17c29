"""How the weights start: their distribution by name; biases start at zero, norms keep their own start.

The fan is what a value is summed over: fan_in = inputs, fan_out = outputs, each times the pixels of a kernel.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
GATES = 4  # the matrices of an LSTM are stacked: each gate has a fan of its own


def _lecun_uniform(weight: Tensor) -> None:
    nn.init.kaiming_uniform_(weight, nonlinearity="linear")


def _lecun_normal(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="linear")


INITIALISATIONS: dict[str, Callable[[Tensor], object]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
    "he_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "lecun_uniform": _lecun_uniform,
    "lecun_normal": _lecun_normal,
    "uniform": lambda weight: nn.init.uniform_(weight, -0.05, 0.05),
    "normal": lambda weight: nn.init.normal_(weight, std=0.05),
    "orthogonal": nn.init.orthogonal_,
    "zeros": nn.init.zeros_,
}


def initialise(model: nn.Module, name: str) -> None:
    """Draw the weights of every linear, convolutional, recurrent and attention layer anew; `default` is torch's own."""
    if name == "default":
        return
    with torch.no_grad():
        for matrix in _matrices(model):
            INITIALISATIONS[name](matrix)
        for bias in _biases(model):
            bias.zero_()


def _matrices(model: nn.Module) -> Iterator[Tensor]:
    for layer in model.modules():
        if isinstance(layer, LAYERS):
            yield layer.weight
        elif isinstance(layer, nn.LSTM):
            for name, weight in layer.named_parameters(recurse=False):
                yield from weight.chunk(GATES) if name.startswith("weight") else ()
        elif isinstance(layer, nn.MultiheadAttention) and layer.in_proj_weight is not None:
            yield from layer.in_proj_weight.chunk(3)  # queries, keys, values


def _biases(model: nn.Module) -> Iterator[Tensor]:
    for layer in model.modules():
        if isinstance(layer, (*LAYERS, nn.LSTM, nn.MultiheadAttention)):
            yield from (weight for name, weight in layer.named_parameters(recurse=False) if "bias" in name)
