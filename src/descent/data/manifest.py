"""The manifest of prepared data: what each file holds, what made it, and whether all of that is still true."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from descent.data import faults
from descent.errors import DataError

NAME = "manifest.json"
VERSION = 1
SPLITS = ("train", "val", "test")
DTYPES = ("uint8", "int64", "float32")
AGAIN = "python src/prepare.py makes it anew"
SHOWN_PARTS = 4  # of a long path


@dataclass(frozen=True)
class Array:
    """A file beside the manifest, in NumPy's format."""

    dtype: str
    shape: list[int]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What made the data: `settings`, the dataset's node, and `origin`, a digest of the files it was read from."""

    name: str
    task: str
    outputs: int
    digest: str  # of the samples before they were split
    classes: list[str]
    columns: list[str]
    encoding: dict[str, Any]  # what another table is encoded by
    settings: dict[str, Any]
    origin: dict[str, Any]
    samples: dict[str, int]  # of each split
    class_counts: dict[str, list[int]]
    arrays: dict[str, Array]  # train_inputs, train_targets, val_inputs, …


def shown(path: Path) -> str:
    """Enough of it for people."""
    return str(path) if len(path.parts) <= SHOWN_PARTS else f"…/{'/'.join(path.parts[-SHOWN_PARTS:])}"


def fault(path: Path, what: str) -> DataError:
    """One line that names the file and what to do."""
    return faults.fault(path, what, AGAIN)


def dumped(manifest: Manifest) -> bytes:
    """As it is written; the last line is the digest of the others, so that no edit goes unseen."""
    plain = {"version": VERSION, **asdict(manifest)}
    return (json.dumps({**plain, "sha256": _digest(plain)}, indent=1) + "\n").encode()


def read(file: Path) -> Manifest:
    """The manifest, every field of its type, or a DataError that names the file."""
    try:
        plain = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise fault(file, f"cannot be read: {error.__class__.__name__}") from None
    if not isinstance(plain, dict):
        raise fault(file, "is no manifest")
    if plain.get("version") != VERSION:
        raise fault(file, f"has version {plain.get('version')}, this program reads {VERSION}")
    sealed = plain.pop("sha256", None)
    if sealed != _digest(plain):
        raise fault(file, "was changed since it was written")
    manifest = _typed(file, plain)
    _refuse_arrays(file, manifest)
    return manifest


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As they come back from JSON, so that the two can be compared."""
    plain: dict[str, Any] = json.loads(json.dumps(settings, default=str, sort_keys=True))
    return plain


def _typed(file: Path, plain: dict[str, Any]) -> Manifest:
    kinds = {"str": str, "int": int, "list": list, "dict": dict}
    values = {}
    for field in fields(Manifest):
        kind = kinds[str(getattr(field.type, "__name__", field.type)).partition("[")[0]]
        if field.name not in plain:
            raise fault(file, f"{field.name} is missing")
        values[field.name] = plain[field.name]
        if not isinstance(values[field.name], kind) or isinstance(values[field.name], bool):
            raise fault(file, f"{field.name} is no {kind.__name__}")
    try:
        arrays = {name: Array(**array) for name, array in values["arrays"].items()}
    except TypeError:
        raise fault(file, "arrays is not what a manifest has there") from None
    return Manifest(**{**values, "arrays": arrays})


def _refuse_arrays(file: Path, manifest: Manifest) -> None:
    splits = list(manifest.samples)
    if "train" not in splits or not set(splits) <= set(SPLITS):
        raise fault(file, f"samples names {' '.join(map(str, splits)) or 'no split'}, not train, val and test")
    if set(manifest.arrays) != {f"{split}_{part}" for split in splits for part in ("inputs", "targets")}:
        raise fault(file, "arrays and samples name different splits")
    for name, array in manifest.arrays.items():
        if array.dtype not in DTYPES:
            raise fault(file, f"{name} has type {array.dtype}, not {' '.join(DTYPES)}")
        is_shape = isinstance(array.shape, list) and all(isinstance(side, int) and side > 0 for side in array.shape)
        if not is_shape or array.shape[:1] != [manifest.samples[name.partition("_")[0]]]:
            raise fault(file, f"{name} has shape {array.shape}, which is not that of its samples")


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
