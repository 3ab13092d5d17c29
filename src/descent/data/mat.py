"""Arrays of numbers in a MATLAB 5 file, plain or compressed.

Only what such arrays need is read. SciPy's reader takes all of MATLAB's types, and a damaged file can end its process.
"""

import math
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descent.data.faults import fault

HEADER = 128
MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32",
           14: "int64", 15: "uint64", 1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse"}  # fmt: skip
AGAIN = "get the file again"


@dataclass(frozen=True)
class Array:
    """A named array as MATLAB declares it; `values` in its own order, None where it holds no numbers."""

    kind: str
    shape: tuple[int, ...]
    values: np.ndarray | None


class _Damaged(ValueError):
    """What is wrong, without where."""


def read_mat(file: Path, names: Collection[str]) -> dict[str, Array]:
    """Every array of these names; one of another name is passed over."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise fault(file, f"unreadable ({error.strerror})", "check its permissions") from None
    if content[:10] == b"MATLAB 7.3":
        raise fault(file, "a MATLAB 7.3 file", "save it with -v7, or get the published file")
    if len(content) < HEADER or content[126:128] not in (b"IM", b"MI"):
        raise fault(file, "no MATLAB 5 file: bytes 126 and 127 are not IM", AGAIN)
    order, at, found = "<" if content[126:128] == b"IM" else ">", HEADER, {}
    while at < len(content):
        try:
            kind, start, end = _tag(content, at, order)
            body = _inflated(content[start:end], order) if kind == COMPRESSED else content[at:end]
            name, array = _matrix(body, order, names)
        except _Damaged as error:
            raise fault(file, f"damaged: {error} in the element at offset {at}", AGAIN) from None
        found[name] = array
        at = end
    return {name: array for name, array in found.items() if name in names}


def _tag(content: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Type, and where the data begins and ends; a short element has its size in the type's upper half."""
    if at + 8 > len(content):
        raise _Damaged(f"it ends at byte {len(content)} of {at + 8}")
    kind, size = struct.unpack_from(f"{order}II", content, at)
    start = at + 8
    if kind >> 16:
        kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if size > 4:
            raise _Damaged(f"a short element of {size} bytes")
    if start + size > len(content):
        raise _Damaged(f"it ends at byte {len(content)} of {start + size}")
    return kind, start, start + size


def _inflated(packed: bytes, order: str) -> bytes:
    """The one element that is packed; not more than it says that it has."""
    stream = zlib.decompressobj()
    try:
        head = stream.decompress(packed, 8)
        if len(head) < 8:
            raise _Damaged("nothing is packed")
        wanted = max(struct.unpack(f"{order}I", head[4:])[0], 1)
        data = stream.decompress(stream.unconsumed_tail, wanted)
        if stream.decompress(stream.unconsumed_tail, 1) or not stream.eof:  # its checksum comes last
            raise _Damaged(f"packed data that does not end after {wanted} bytes")
        return head + data
    except zlib.error as error:
        raise _Damaged(str(error)) from None


def _matrix(body: bytes, order: str, names: Collection[str]) -> tuple[str, Array]:
    kind, at, _ = _tag(body, 0, order)
    if kind != MATRIX:
        raise _Damaged(f"type {kind}, expected {MATRIX}")
    flags, at = _part(body, at, order)
    shape, at = _part(body, at, order)
    letters, at = _part(body, at, order)
    name, number = letters.tobytes().decode("latin1"), int(flags[0]) & 0xFF if len(flags) else 0
    sizes = tuple(int(size) for size in shape)
    if number not in CLASSES or min(sizes, default=-1) < 0:
        raise _Damaged(f"class {number} of {'x'.join(map(str, sizes))}")
    if name not in names or number < 6 or int(flags[0]) & 0x800:
        return name, Array(CLASSES[number] if number < 6 else f"complex {CLASSES[number]}", sizes, None)
    values, _ = _part(body, at, order)
    if len(values) != math.prod(sizes):
        raise _Damaged(f"{name} of {'x'.join(map(str, sizes))} has {len(values)} values")
    return name, Array(CLASSES[number], sizes, values.reshape(sizes, order="F"))


def _part(body: bytes, at: int, order: str) -> tuple[np.ndarray, int]:
    """Numbers of a part of a matrix, and where the next one begins: at a multiple of 8."""
    kind, start, end = _tag(body, at, order)
    if kind not in STORED:
        raise _Damaged(f"numbers of type {kind}")
    numbers = np.dtype(f"{order}{STORED[kind]}")
    if (end - start) % numbers.itemsize:
        raise _Damaged(f"{end - start} bytes of numbers of {numbers.itemsize}")
    values = np.frombuffer(body, numbers, (end - start) // numbers.itemsize, start)
    return values, at + -(-max(end - at, 8) // 8) * 8
