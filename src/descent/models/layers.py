"""The parts that models share: activations and norms by name."""

from collections.abc import Callable

from torch import nn

Part = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]

ACTIVATIONS: dict[str, Part] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
VECTOR_NORMS: dict[str, Norm] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
IMAGE_NORMS: dict[str, Norm] = {"batch": nn.BatchNorm2d, "layer": lambda channels: nn.GroupNorm(1, channels)}


def normed(norms: dict[str, Norm], name: str, width: int) -> list[nn.Module]:
    """The norm of a layer's output, or nothing."""
    return [] if name == "none" else [norms[name](width)]


def dropped(p: float) -> list[nn.Module]:
    """Dropout, or nothing."""
    return [nn.Dropout(p)] if p > 0 else []
