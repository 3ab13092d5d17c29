"""Operations drawn for each image, all of one magnitude."""

from collections.abc import Iterator
from functools import reduce

import torch
from torch import Tensor

from descent.augmentation.colour import CHANGES
from descent.augmentation.geometry import Affine, turned

# What each does at magnitude 1, to either side: radians, tangents, shares of an axis, what a factor adds to 1.
STRONGEST = {
    "nothing": 0.0,
    "rotation": 0.5236,
    "shear_rows": 0.3,
    "shear_columns": 0.3,
    "shift_rows": 0.45,
    "shift_columns": 0.45,
    "brightness": 0.9,
    "contrast": 0.9,
    "saturation": 0.9,
}
OPERATIONS = tuple(STRONGEST)


class Drawn:
    """So many operations of OPERATIONS for each image, each of the magnitude, to a side that is drawn too."""

    def __init__(self, operations: int, images: Tensor, magnitude: float) -> None:
        draws = torch.rand(2, operations, len(images), device=images.device)
        self.which = (draws[0] * len(OPERATIONS)).long()
        self.signed = torch.where(draws[1] < 0.5, -magnitude, magnitude).to(images.dtype)

    def strengths(self, name: str) -> Tensor:
        """[operations, images]: how much of it, 0 where another one was drawn."""
        return (self.which == OPERATIONS.index(name)) * self.signed * STRONGEST[name]

    def geometry(self, height: int, width: int) -> Affine:
        """All of an image's moves, in the order drawn, as one map."""
        angle, one = self.strengths("rotation"), torch.ones_like(self.signed)
        shift = torch.stack([self.strengths("shift_rows") * height, self.strengths("shift_columns") * width], -1)
        slant = torch.stack([one, self.strengths("shear_rows"), self.strengths("shear_columns"), one], -1)
        steps = [
            Affine(slant[slot].view(-1, 2, 2), shift[slot]).after(turned(angle[slot])) for slot in range(len(angle))
        ]
        return reduce(lambda done, step: step.after(done), steps)

    def colours(self) -> Iterator[tuple[str, Tensor]]:
        """Names and factors in the order drawn; an image for which another one was drawn has factor 1."""
        factors = {name: 1 + self.strengths(name) for name in CHANGES}
        for slot in range(len(self.which)):
            yield from ((name, factor[slot]) for name, factor in factors.items())
