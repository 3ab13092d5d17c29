"""What a dataset's target returns: all its samples, not yet split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from descent.errors import DataError


class Encoded(NamedTuple):
    """Inputs made by statistics of the training rows, their columns' names, and those statistics as plain values."""

    inputs: Tensor
    columns: tuple[str, ...]
    encoding: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One row a sample: images [n, channels, height, width], tables [n, features], sequences [n, steps]; int64: tokens.

    Inputs are uint8 or float32; targets int64 class numbers [n], or float32 [n, outputs].
    """

    name: str
    task: str  # classification | regression
    inputs: Tensor
    targets: Tensor
    outputs: int  # classes, or targets
    test: tuple[Tensor, Tensor] | None = None  # its own test part: then dataset.test_fraction is not used
    classes: tuple[str, ...] = ()  # their names
    val: tuple[Tensor, Tensor] | None = None  # and its own validation part: then only dataset.val_fraction=0 is heeded
    scratch: Path | None = None  # the folder of files for inputs that do not fit in memory
    columns: tuple[str, ...] = ()  # names of a table's features
    # Training rows (indices) and the chosen among `columns` → all inputs, for an encoding by statistics of those rows
    # alone; `inputs` is then a row of each sample that tells it from others: the data's digest is made of it.
    encode: Callable[[Tensor, tuple[str, ...]], Encoded] | None = None

    @property
    def parts(self) -> list[tuple[Tensor, Tensor]]:
        """The samples, and those of its own test and validation parts."""
        return [(self.inputs, self.targets), *(part for part in (self.test, self.val) if part)]


def refuse_broken(source: Source) -> None:
    """Samples without a target, classes that there are not, numbers that are none."""
    for inputs, targets in source.parts:
        if len(inputs) != len(targets):
            raise DataError(f"dataset {source.name}: {len(inputs)} samples and {len(targets)} targets")
        if not len(targets):
            raise DataError(f"dataset {source.name}: there are no samples")
        if source.task == "classification":
            _refuse_labels(source, targets)
    tensors = [tensor for part in source.parts for tensor in part if tensor.is_floating_point()]
    if not all(torch.isfinite(tensor).all() for tensor in tensors):
        raise DataError(f"dataset {source.name}: there are values that are no finite numbers")


def _refuse_labels(source: Source, targets: Tensor) -> None:
    wrong = ((targets < 0) | (targets >= source.outputs)).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        found, last = int(targets[row]), source.outputs - 1
        raise DataError(f"dataset {source.name}: sample {row} has class {found}, and there are 0 to {last}")
