"""Moves by whole pixels: mirror images and windows, by index alone, so that no value changes."""

import torch
from torch import Tensor

PADDINGS = ("edge", "reflect", "black")


def mirrored(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Images [n, …] as they are or mirrored: the two are -1 where it is so, else 1."""
    for signs, axis in ((columns, -1), (rows, -2)):
        images = torch.where((signs < 0)[:, None, None, None], images.flip(axis), images)
    return images


def windows(images: Tensor, moves: Tensor, padding: str, black: Tensor | None = None) -> Tensor:
    """The window of each image's own size that begins `moves` [n, 2] rows and columns from the image's own corner.

    Outside the image is what `padding` says; where it is black, `black` is that of each channel in the inputs' scale.
    """
    height, width = images.shape[-2:]
    rows = moves[:, :1] + torch.arange(height, device=images.device)
    columns = moves[:, 1:] + torch.arange(width, device=images.device)
    inside = _inside(rows, height)[:, :, None] & _inside(columns, width)[:, None, :]
    place = _within(rows, height, padding)[:, :, None] * width + _within(columns, width, padding)[:, None, :]
    found = images.flatten(2).gather(2, place.flatten(1)[:, None].expand(-1, images.shape[1], -1)).view_as(images)
    return found if black is None else torch.where(inside[:, None], found, black)


def _inside(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


def _within(places: Tensor, size: int, padding: str) -> Tensor:
    if padding != "reflect" or size == 1:
        return places.clamp(0, size - 1)
    period = 2 * (size - 1)  # the border's own pixel is not repeated
    places = places.abs() % period
    return torch.minimum(places, period - places)
