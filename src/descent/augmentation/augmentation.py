"""Training images as they might have been: drawn anew for each image of each minibatch."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from descent.augmentation.colour import CHANGES, Pixels
from descent.augmentation.erasing import fillings, rectangles
from descent.augmentation.geometry import Affine, affine, warp
from descent.augmentation.placing import mirrored, windows
from descent.augmentation.randaugment import Drawn
from descent.data.scaling import Scaling
from descent.regularization.method import Batch, Method


class Augmentation(Method):
    """In this order: rotation, shift, shear and zoom in one warp, mirror images, a crop, colours, erasing.

    conf/every_augmentation.yaml says what each argument is. `scaling` is how inputs were scaled, `images` those of
    the training split before it: colours and black are matters of pixels. What is switched off costs nothing.
    """

    rank = 20  # before samples are mixed

    def __init__(
        self,
        scaling: Scaling,
        images: Tensor,
        *,
        rotation: float,
        shift: float,
        shear: float,
        zoom: Sequence[float],
        flip: float,
        vertical_flip: float,
        crop: float,
        padding: str,
        brightness: float,
        contrast: float,
        saturation: float,
        randaugment: int,
        magnitude: float,
        erasing: float,
        erasing_area: Sequence[float],
        erasing_aspect: Sequence[float],
        erasing_fill: str,
    ) -> None:
        self.rotation, self.shift, self.shear, self.zoom = math.radians(rotation), shift, math.radians(shear), zoom
        self.flip, self.vertical_flip = flip, vertical_flip
        self.crop, self.padding = crop, padding
        spreads = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        self.spreads = {name: spread for name, spread in spreads.items() if spread}
        self.randaugment, self.magnitude = randaugment, magnitude
        self.erasing, self.area, self.aspect, self.fill = erasing, erasing_area, erasing_aspect, erasing_fill
        self._moves = bool(rotation or shift or shear or list(zoom) != [1, 1])
        if self.spreads or randaugment or "black" in (padding, erasing_fill):
            self._pixels = Pixels(scaling, images)

    def batch_in(self, batch: Batch) -> Batch:
        images, targets = batch
        drawn = Drawn(self.randaugment, images, self.magnitude) if self.randaugment else None
        images = self._placed(images, drawn)
        if self.crop:
            images = self._cropped(images)
        if self.spreads or drawn:
            images = self._pixels.scaled(self._coloured(self._pixels.of(images), drawn))
        if self.erasing:
            images = self._erased(images)
        return images, targets

    def _placed(self, images: Tensor, drawn: Drawn | None) -> Tensor:
        maps = self._drawn_map(images) if self._moves else None
        if drawn:
            own = drawn.geometry(*images.shape[-2:])
            maps = own.after(maps) if maps else own
        if not (self.flip or self.vertical_flip):
            return warp(images, maps) if maps else images
        draws = zip(_uniform(2, images), (self.flip, self.vertical_flip), strict=True)
        across, down = (1 - 2 * (draw < chance).to(images.dtype) for draw, chance in draws)
        return warp(images, maps.mirrored(across, down)) if maps else mirrored(images, across, down)

    def _cropped(self, images: Tensor) -> Tensor:
        most = [round(self.crop * size) for size in images.shape[-2:]]
        moves = torch.stack([torch.randint(-one, one + 1, (len(images),), device=images.device) for one in most], -1)
        return windows(images, moves, self.padding, self._black(self.padding))

    def _erased(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        gone = rectangles(height, width, self.erasing, self.area, self.aspect, _uniform(5, images))
        return torch.where(gone[:, None], fillings(images, self.fill, self._black(self.fill)), images)

    def _black(self, choice: str) -> Tensor | None:
        return self._pixels.black if choice == "black" else None

    def _drawn_map(self, images: Tensor) -> Affine:
        angle, down, across, shear, *zooms = _uniform(6, images)
        (height, width), (low, high) = images.shape[-2:], self.zoom
        shift = torch.stack([(2 * down - 1) * height, (2 * across - 1) * width], -1) * self.shift
        return affine(
            (2 * angle - 1) * self.rotation,
            shift,
            (2 * shear - 1) * self.shear,
            low + (high - low) * torch.stack(zooms, -1),
        )

    def _coloured(self, pixels: Tensor, drawn: Drawn | None) -> Tensor:
        for (name, spread), draw in zip(self.spreads.items(), _uniform(len(self.spreads), pixels), strict=True):
            pixels = CHANGES[name](pixels, 1 + (2 * draw - 1) * spread)
        for name, factor in drawn.colours() if drawn else ():
            pixels = CHANGES[name](pixels, factor)
        return pixels


def _uniform(numbers: int, images: Tensor) -> Tensor:
    """So many for each image, on [0, 1): the same in every precision."""
    return torch.rand(numbers, len(images), device=images.device).to(images.dtype)
