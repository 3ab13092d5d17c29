"""Pickles of plain values and byte arrays, read without running anything that they name.

What a pickle asks for by name is looked up in a table of stand-ins of ours; there is nothing else.
"""

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from descent.data.faults import fault

MOST = 1 << 31
FROM_HERE = "get the file again from where it is published"


class _Forbidden(Exception):
    """A name that no batch of numbers needs."""


class _Type:
    """Stands in for numpy.dtype: its code alone."""

    def __init__(self, code: Any = "", *rest: Any) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Byte order and fields, of which single bytes have none."""


class _Array:
    """Stands in for numpy.ndarray: the state that it was written with."""

    def __init__(self, *rest: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes(self) -> np.ndarray:
        """The array, if it is one of unsigned bytes in the usual order."""
        _, shape, kind, is_fortran, content = self.state
        if not all(type(size) is int and 0 <= size < MOST for size in shape):
            raise ValueError("an array of no size")
        if not isinstance(kind, _Type) or kind.code not in ("u1", "|u1") or is_fortran is True:
            raise ValueError(f"an array of {getattr(kind, 'code', kind)}, expected unsigned bytes in C order")
        if isinstance(content, str):  # of Python 2
            content = content.encode("latin1")
        if math.prod(shape) != len(content):
            raise ValueError(f"an array of {'x'.join(map(str, shape))} with {len(content)} bytes")
        return np.frombuffer(content, np.uint8).reshape(shape)


class _Bytes:
    """Stands in for codecs.encode: how Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str, encoding: str) -> bytes:  # type: ignore[misc]
        if encoding != "latin1":
            raise ValueError(f"bytes as {encoding}")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        """Called on the class by a pickle that would change it, and then short of an argument."""


# Classes with a __setstate__ each: what else a pickle can get hold of, it could write attributes of.
STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _Bytes,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise _Forbidden(f"it asks for {module}.{name}") from None


def read_batch(file: Path, content: bytes) -> dict[str, Any]:
    """The dictionary of a batch: values with byte arrays as NumPy's, keys as text."""
    stream = io.BytesIO(content)
    try:
        _refuse_far_places(stream)
        batch = _Unpickler(stream, encoding="latin1").load()
        if not isinstance(batch, dict):
            raise ValueError(f"it holds {type(batch).__name__}, expected a dict")
        return {_text(key): value.bytes() if isinstance(value, _Array) else value for key, value in batch.items()}
    except _Forbidden as error:
        raise fault(file, f"{error} at offset {stream.tell()}", "do not trust it; batches hold numbers alone") from None
    except Exception as error:  # a damaged pickle may raise anything
        said = str(error) or type(error).__name__
        raise fault(file, f"no batch: {said} at offset {stream.tell()}", FROM_HERE) from None


def _refuse_far_places(stream: io.BytesIO) -> None:
    """A pickle keeps what it needs again in numbered places, for which the unpickler makes room: a damaged number is
    gigabytes. Nor is anything as long as it says where less follows.
    """
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > count:
            raise ValueError(f"a value is kept in place {argument} of {count}")
    stream.seek(0)


def _text(key: Any) -> str:
    if not isinstance(key, str | bytes):
        raise ValueError(f"a key of type {type(key).__name__}")
    return key.decode("latin1") if isinstance(key, bytes) else key
