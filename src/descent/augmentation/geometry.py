"""Affine maps, one for each image of a batch, and the bilinear warp that samples through them.

A map says where in the source a pixel of the result comes from. Its coordinates are rows and columns from the image's
centre, in pixels, rows downwards; what lies outside is the nearest pixel of the border.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Affine:
    """source = linear @ target + offset, of each image: linear is [n, 2, 2], offset [n, 2]."""

    linear: Tensor
    offset: Tensor

    def after(self, first: "Affine") -> "Affine":
        """The image is warped by `first` and what comes of it by self."""
        # No matmul: autocast would round it to bfloat16.
        linear = (first.linear.unsqueeze(-1) * self.linear.unsqueeze(-3)).sum(-2)
        offset = (first.linear * self.offset.unsqueeze(-2)).sum(-1) + first.offset
        return Affine(linear, offset)

    def mirrored(self, columns: Tensor, rows: Tensor) -> "Affine":
        """The image is warped by self and what comes of it mirrored: the two are -1 where it is, else 1."""
        return Affine(self.linear * torch.stack([rows, columns], -1).unsqueeze(-2), self.offset)


def turned(angle: Tensor) -> Affine:
    """A clockwise rotation as seen, by an angle [n] in radians."""
    return affine(angle, angle.new_zeros(len(angle), 2), torch.zeros_like(angle), angle.new_ones(len(angle), 2))


def affine(rotation: Tensor, shift: Tensor, shear: Tensor, zoom: Tensor) -> Affine:
    """Keras's product, rotate · shift · shear · zoom, in closed form.

    Angles are [n] in radians: a rotation is clockwise as seen. `shift` and `zoom` are [n, 2], rows before columns: in
    pixels of the source, and factors of its coordinates, so that above 1 the content shrinks.
    """
    sin, cos, both = rotation.sin(), rotation.cos(), rotation + shear
    linear = torch.stack([cos, -both.sin(), sin, both.cos()], -1).view(-1, 2, 2) * zoom.unsqueeze(-2)
    down, across = shift.unbind(-1)
    return Affine(linear, torch.stack([cos * down - sin * across, sin * down + cos * across], -1))


def warp(images: Tensor, maps: Affine) -> Tensor:
    """The images [n, channels, height, width], each through its map."""
    height, width = images.shape[-2:]
    # Without aligned corners a pixel is 2/size of grid_sample's units, which count from the centre, columns first.
    linear = torch.stack([maps.linear[:, 1] * (2 / width), maps.linear[:, 0] * (2 / height)], 1)
    offset = torch.stack([maps.offset[:, 1] * (2 / width), maps.offset[:, 0] * (2 / height)], 1)
    down, across = (torch.arange(size, device=images.device).to(images) - (size - 1) / 2 for size in (height, width))
    by_row = linear[:, None, :, 0] * down[:, None] + offset[:, None]
    by_column = linear[:, None, :, 1] * across[:, None]
    # A pair is one complex number: a sum whose innermost axis has two numbers takes eight times as long.
    pairs = torch.view_as_complex(by_row).unsqueeze(2) + torch.view_as_complex(by_column).unsqueeze(1)
    return F.grid_sample(images, torch.view_as_real(pairs), "bilinear", "border", align_corners=False)
