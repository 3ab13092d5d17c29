"""The IDX format of MNIST: a magic number, the dimensions, then bytes; plain or compressed by gzip."""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from descent.data.faults import fault

BYTES = 8  # the type code of unsigned bytes
BLOCK = 1 << 20
AGAIN = "get the file again"


def read_idx(file: Path, dimensions: int) -> Tensor:
    """The file's unsigned bytes, of that many dimensions."""
    try:
        with file.open("rb") as beginning:
            is_compressed = beginning.read(2) == b"\x1f\x8b"
        with gzip.open(file) if is_compressed else file.open("rb") as stream:
            return _read(file, cast(BinaryIO, stream), dimensions)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise fault(file, f"unreadable ({error.strerror})", "check its permissions") from None
        raise fault(file, f"damaged gzip ({error})", AGAIN) from None


def _read(file: Path, stream: BinaryIO, dimensions: int) -> Tensor:
    header = stream.read(4 + 4 * dimensions)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise fault(file, f"no IDX file: begins with {header[:4].hex() or 'nothing'}", "allowed 0000 08 and dimensions")
    if header[2] != BYTES:
        raise fault(file, f"type 0x{header[2]:02x} at offset 2", "allowed 0x08, unsigned bytes")
    if header[3] != dimensions:
        raise fault(
            file, f"{header[3]} dimensions at offset 3, expected {dimensions}", "are images and labels mixed up?"
        )
    if len(header) < 4 + 4 * dimensions:
        raise fault(file, f"ends at byte {len(header)}, within its header", AGAIN)
    shape = [int(size) for size in np.frombuffer(header, ">u4", offset=4)]
    if 0 in shape:
        raise fault(file, f"dimension {shape.index(0)} is 0 at offset {4 + 4 * shape.index(0)}", AGAIN)
    content = _content(file, stream, len(header), math.prod(shape))
    return torch.frombuffer(content, dtype=torch.uint8).view(shape)


def _content(file: Path, stream: BinaryIO, offset: int, wanted: int) -> bytearray:
    """As many bytes as the header says: read piece by piece, for the header may say anything."""
    content = bytearray()
    while len(content) < wanted and (block := stream.read(min(BLOCK, wanted - len(content)))):
        content += block
    if len(content) < wanted:
        raise fault(file, f"ends at byte {offset + len(content)} of {offset + wanted}", AGAIN)
    if stream.read(1):
        raise fault(file, f"more bytes follow after {offset + wanted}, where its header ends it", AGAIN)
    return content
