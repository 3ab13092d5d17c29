"""Rectangles of images are erased."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def rectangles(
    height: int, width: int, chance: float, area: Sequence[float], aspect: Sequence[float], draws: Tensor
) -> Tensor:
    """Where images lose a rectangle, as a share `chance` of them do: [n, height, width]. `draws` is [5, n], on [0, 1).

    The rectangle's share of the image is uniform on `area`, its height / width log-uniform on that part of `aspect` for
    which it fits, so that its area is the one drawn, and all its places are equally likely.
    """
    tall, wide = _sizes(height, width, _between(draws[1], *area), aspect, draws[2])
    rows, columns = _span(height, tall, draws[3]), _span(width, wide, draws[4])
    return rows[:, :, None] & columns[:, None, :] & (draws[0] < chance)[:, None, None]


def fillings(images: Tensor, fill: str, black: Tensor | None) -> Tensor:
    """What erased pixels become, by channel: the image's own mean, noise of its mean and deviation, or `black`."""
    if black is not None:
        return black
    variance, mean = torch.var_mean(images, (-2, -1), correction=0, keepdim=True)
    return mean + variance.sqrt() * torch.randn_like(images) if fill == "noise" else mean


def _sizes(height: int, width: int, share: Tensor, aspect: Sequence[float], draw: Tensor) -> tuple[Tensor, Tensor]:
    flattest, tallest = share * height / width, height / (share * width)  # of those that fit
    low, high = (torch.full_like(share, one).clamp(flattest, tallest) for one in aspect)
    ratio = low * (high / low) ** draw
    root = math.sqrt(height * width)
    return _whole(root * (share * ratio).sqrt(), height), _whole(root * (share / ratio).sqrt(), width)


def _whole(length: Tensor, size: int) -> Tensor:
    return length.round().clamp(1, size)


def _span(size: int, length: Tensor, draw: Tensor) -> Tensor:
    first = ((size - length + 1) * draw).floor()
    place = torch.arange(size, device=length.device)
    return (place >= first[:, None]) & (place < (first + length)[:, None])


def _between(draw: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * draw
