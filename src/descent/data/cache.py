"""Prepared data on disk: every split as memory-mapped arrays beside a manifest. Nothing in it can execute code.

A folder is whole or not there: it is written under another name, reaches the disk, and is renamed.
"""

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descent.data import manifest as manifests
from descent.data.manifest import SPLITS, Array, Manifest, fault, plain_settings, shown
from descent.data.split import Data, Split
from descent.durable import UNFINISHED, sync_directory, write_durably
from descent.errors import UsageError
from descent.rules import cut

LONGEST_VALUE = 40


def write(place: Path, data: Data, settings: Mapping[str, Any], origin: Mapping[str, Any]) -> Manifest:
    """Prepare the data there, in place of what was prepared there before."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(place.parent):
        _refuse_other_content(place)
        for left in place.parent.glob(f".{place.name}.*{UNFINISHED}"):
            shutil.rmtree(left)  # of a process that was killed: this one is alone here
        folder = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
        try:
            folder.mkdir()
            manifest = _write_into(folder, data, settings, origin)
            _rename(folder, place)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return manifest


def read(place: Path, settings: Mapping[str, Any], origin: Mapping[str, Any]) -> Data:
    """What is prepared there, memory-mapped, if it is whole and these settings made it; else DataError."""
    manifest = verified(place, settings, origin)
    splits = _splits(place, manifest)
    return Data(
        manifest.name,
        manifest.task,
        manifest.outputs,
        splits["train"],
        splits.get("val"),
        splits.get("test"),
        manifest.digest,
        tuple(manifest.classes),
        tuple(manifest.columns),
        manifest.encoding or None,
    )


def verified(place: Path, settings: Mapping[str, Any], origin: Mapping[str, Any]) -> Manifest:
    """The manifest, where every file is what it says and these settings and files made it."""
    file = place / manifests.NAME
    if not file.is_file():
        raise fault(place, "holds no prepared data" if place.exists() else "is not there")
    manifest = manifests.read(file)
    for key, value in plain_settings(settings).items():
        if manifest.settings.get(key) != value:
            made = cut(f"{key}={manifest.settings.get(key)}", LONGEST_VALUE)
            raise fault(file, f"was made with {made}, and this is {cut(f'{key}={value}', LONGEST_VALUE)}")
    if any(manifest.origin.get(key) != stamp for key, stamp in plain_settings(origin).items()):
        raise fault(file, "was made from files that have changed since")
    for name, array in manifest.arrays.items():
        _refuse_changed(place / f"{name}.npy", array)
    for name, split in _splits(place, manifest).items():
        if manifest.task == "classification" and counted(split, manifest.outputs) != manifest.class_counts.get(name):
            raise fault(place / f"{name}_targets.npy", "has other classes than its manifest counts")
    return manifest


def counted(split: Split, classes: int) -> list[int] | None:
    """Samples of each class; None where a target is none of them."""
    if split.targets.ndim != 1 or split.targets.is_floating_point():
        return None
    if len(split) and not 0 <= int(split.targets.min()) <= int(split.targets.max()) < classes:
        return None
    counts: list[int] = torch.bincount(split.targets, minlength=classes).tolist()
    return counts


def _splits(place: Path, manifest: Manifest) -> dict[str, Split]:
    arrays = {name: _mapped(place / f"{name}.npy", array) for name, array in manifest.arrays.items()}
    return {split: Split(arrays[f"{split}_inputs"], arrays[f"{split}_targets"]) for split in manifest.samples}


def _write_into(folder: Path, data: Data, settings: Mapping[str, Any], origin: Mapping[str, Any]) -> Manifest:
    splits = {name: split for name in SPLITS if (split := getattr(data, name)) is not None}
    arrays = {}
    for name, split in splits.items():
        for part in ("inputs", "targets"):
            arrays[f"{name}_{part}"] = _save(folder / f"{name}_{part}.npy", getattr(split, part))
    classes = data.outputs if data.task == "classification" else 0
    manifest = Manifest(
        name=data.name,
        task=data.task,
        outputs=data.outputs,
        digest=data.digest,
        classes=list(data.classes),
        columns=list(data.columns),
        encoding=data.encoding or {},
        settings=plain_settings(settings),
        origin=plain_settings(origin),
        samples={name: len(split) for name, split in splits.items()},
        class_counts={name: counted(split, classes) or [] for name, split in splits.items() if classes},
        arrays=arrays,
    )
    write_durably(folder / manifests.NAME, manifests.dumped(manifest))
    return manifest


def _save(file: Path, tensor: Tensor) -> Array:
    values = tensor.contiguous().numpy()
    with file.open("wb") as stream:
        np.lib.format.write_array(stream, values, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())
    return Array(str(values.dtype), list(values.shape), _sha256(file))


def _rename(folder: Path, place: Path) -> None:
    """What was there before is aside until the new one has its name."""
    aside = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    if place.exists():
        place.rename(aside)
    folder.rename(place)
    sync_directory(place.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _refuse_other_content(place: Path) -> None:
    if place.exists() and not (place.is_dir() and ((place / manifests.NAME).is_file() or not any(place.iterdir()))):
        raise UsageError(f"dataset.cache: got {shown(place)}, allowed a new folder or one of prepared data")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_changed(file: Path, array: Array) -> None:
    try:
        found = _sha256(file)
    except OSError as error:
        raise fault(file, f"cannot be read: {error.strerror}") from None
    if found != array.sha256:
        raise fault(file, "is not what was prepared: its SHA-256 is another")


def _mapped(file: Path, array: Array) -> Tensor:
    try:
        values = np.load(file, mmap_mode="c", allow_pickle=False)  # c: a write would stay in memory
    except (OSError, ValueError, EOFError, SyntaxError):
        raise fault(file, "is no array of numbers, or not all of one") from None
    if not isinstance(values, np.ndarray) or str(values.dtype) != array.dtype or list(values.shape) != array.shape:
        raise fault(file, "has another type or shape than its manifest says")
    return torch.from_numpy(values)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
