"""Room for images: in memory, or in a file that the system pages in and out, where they would not fit."""

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from descent.data.faults import environment_fault
from descent.durable import folder_made

BLOCK = 4096  # rows copied at a time
COPIES = 2  # all samples, and the splits that are picked from them
SHARE = 0.8  # of the memory that is free


def fits(size: int, free: int) -> bool:
    """Whether samples of so many bytes can be split in that memory."""
    return size * COPIES <= free * SHARE


def room(shape: Sequence[int], scratch: Path | None) -> Tensor:
    """Bytes of that shape, not yet written to: in memory, or in a file of the folder, nameless and gone with us."""
    if scratch is None:
        return torch.empty(*shape, dtype=torch.uint8)
    try:
        with folder_made(scratch), tempfile.TemporaryFile(dir=scratch) as file:
            # Without space for all of it a later write would end the process.
            os.posix_fallocate(file.fileno(), 0, math.prod(shape))
            return torch.from_numpy(np.memmap(file, np.uint8, "r+", shape=tuple(shape)))
    except OSError as error:
        cause = f"no room for {math.prod(shape):,} bytes of images ({error.strerror or error})"
        raise environment_fault(scratch, cause, "free some, or set dataset.scratch=…") from None


def picked(samples: Tensor, rows: Tensor, scratch: Path | None) -> Tensor:
    """Those rows, in the same kind of room."""
    if scratch is None or samples.dtype != torch.uint8:
        return samples[rows]
    out = room((len(rows), *samples.shape[1:]), scratch)
    for start in range(0, len(rows), BLOCK):
        out[start : start + BLOCK] = samples[rows[start : start + BLOCK]]
    return out
