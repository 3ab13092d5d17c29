"""Brightness, contrast and saturation, on pixels from 0 (the darkest) to 1 (the lightest).

torchvision's formulas: each blends the image with another one (black, its mean grey, its own grey version) by a factor
that is the image's own, and cuts what leaves 0 to 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from descent.data.scaling import Scaling

GREY = (0.2989, 0.587, 0.114)


class Pixels:
    """From scaled inputs to pixels and back. 0 and 1 are the smallest and the largest value of the training images."""

    def __init__(self, scaling: Scaling, images: Tensor) -> None:
        self._scaling = scaling
        self.low, high = (float(value) for value in torch.aminmax(images))
        self._span = high - self.low if high > self.low else 1.0

    def of(self, inputs: Tensor) -> Tensor:
        """Pixels of scaled inputs."""
        return (inputs * self._scaling.deviation + (self._scaling.mean - self.low)) / self._span

    def scaled(self, pixels: Tensor) -> Tensor:
        """Inputs as the model takes them."""
        return (pixels * self._span + (self.low - self._scaling.mean)) / self._scaling.deviation

    @property
    def black(self) -> Tensor:
        """A scaled black, for each channel."""
        return (self.low - self._scaling.mean) / self._scaling.deviation


def brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    """factor * pixels."""
    return (pixels * _each(factor)).clamp(0, 1)


def contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Away from the mean of the image's grey version, or towards it."""
    return _blend(pixels, _grey(pixels).mean((-3, -2, -1), keepdim=True), factor)


def saturation(pixels: Tensor, factor: Tensor) -> Tensor:
    """Away from the image's grey version, or towards it; a grey image stays as it is."""
    return pixels if pixels.shape[1] == 1 else _blend(pixels, _grey(pixels), factor)


Change = Callable[[Tensor, Tensor], Tensor]
CHANGES: dict[str, Change] = {"brightness": brightness, "contrast": contrast, "saturation": saturation}


def _blend(pixels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (other + _each(factor) * (pixels - other)).clamp(0, 1)


def _grey(pixels: Tensor) -> Tensor:
    if pixels.shape[1] != 3:
        return pixels.mean(1, keepdim=True)
    red, green, blue = pixels[:, :1], pixels[:, 1:2], pixels[:, 2:]
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


def _each(factor: Tensor) -> Tensor:
    return factor[:, None, None, None]
