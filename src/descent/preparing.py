"""Data prepared once and read many times: where it lies, when it is used, and what `src/prepare.py` does."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent.config import Config, located, project_root, workspace_root
from descent.data import cache
from descent.data.manifest import Manifest, plain_settings, shown
from descent.data.split import Data
from descent.errors import DataError, EnvironmentFault
from descent.rules import refuse

FOLDER = "data/prepared"
NOT_STORED = ("cache", "scaling", "download", "in_memory", "scratch")  # they change nothing in what is stored
PLACES = ("root", "path")  # settings that say where files of the user's lie
DIGITS = 12


def cached(config: Config) -> Data | None:
    """The data of this configuration from where it was prepared; None where it was not and need not be."""
    wanted = config.dataset.settings["cache"]
    place = place_of(config)
    if wanted is None or (wanted == "auto" and not place.exists()):
        return None
    return cache.read(place, settings_of(config), origin_of(config))


def prepare(config: Config) -> None:
    """Write the cache of this configuration, one for each fold, unless it is there, and say what is in it."""
    if config.dataset.settings["cache"] is None:
        raise refuse("dataset.cache", None, "auto or a folder", "leave it out to prepare data")
    if config.dry_run:
        raise refuse("dry_run", True, "false", "what is prepared is written")
    folds = range(config.folds) if config.folds > 1 and config.fold is None else [config.fold]
    if len(folds) > 1 and config.dataset.settings["cache"] != "auto":
        raise refuse("folds", config.folds, "1 or a fold=… with dataset.cache=<folder>", "a folder holds one of them")
    for fold in folds:
        _prepare(replace(config, fold=fold))


def place_of(config: Config) -> Path:
    """By name and settings, unless a folder was named."""
    wanted = config.dataset.settings["cache"]
    if wanted not in (None, "auto"):
        return workspace_root() / str(wanted)
    key = hashlib.sha256(json.dumps(settings_of(config), sort_keys=True).encode()).hexdigest()
    return project_root() / FOLDER / config.dataset.choice / key[:DIGITS]


def settings_of(config: Config) -> dict[str, Any]:
    """What decides about the samples and their splits."""
    own = {key: value for key, value in config.dataset.settings.items() if key not in NOT_STORED}
    return plain_settings({**own, "folds": config.folds, "fold": config.fold or 0})


def origin_of(config: Config) -> dict[str, Any]:
    """A digest of names, sizes and times of the files that the data is read from, by the setting that says where."""
    settings = located(config.dataset).settings
    return {key: _stamp(Path(settings[key])) for key in PLACES if key in settings and Path(settings[key]).exists()}


def _stamp(place: Path) -> str:
    """Of every file, linked folders' too: one that has moved to another class is as old and as large as before."""
    found = {place, *place.rglob("*"), *place.glob("*/*"), *place.glob("*/*/*")}
    digest = hashlib.sha256()
    for file in sorted(file for file in found if file.is_file()):
        stat = file.stat()
        digest.update(os.fsencode(file.relative_to(place)) + f"\0{stat.st_size} {stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _prepare(config: Config) -> None:
    from descent import assembly

    place, settings, origin = place_of(config), settings_of(config), origin_of(config)
    try:
        manifest, state = cache.verified(place, settings, origin), "current"
    except DataError:
        data = assembly.load(_fresh(config))
        if config.dataset.settings.get("download"):
            origin = origin_of(config)  # with what has just come
        try:
            manifest, state = cache.write(place, data, settings, origin), "prepared"
        except OSError as error:
            hint = "free or choose another place with dataset.cache=…"
            raise EnvironmentFault(f"{shown(place)}: {error.strerror or error}; {hint}") from error
    console = Console()
    console.print(_table(manifest, state))
    console.print(f"{state}: {place}", soft_wrap=True)
    console.print(f"digest: {manifest.digest}", soft_wrap=True)


def _fresh(config: Config) -> Config:
    return replace(config, dataset=replace(config.dataset, settings={**config.dataset.settings, "cache": None}))


def _table(manifest: Manifest, state: str) -> Table:
    table = Table(title=f"{escape(manifest.name)}: {state}", title_justify="left")
    for column in ("split", "rows", "shape", "type", "samples of each class" if manifest.class_counts else "targets"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for split, rows in manifest.samples.items():
        inputs = manifest.arrays[f"{split}_inputs"]
        counts = _counts(manifest.class_counts.get(split, []), manifest.classes)
        table.add_row(
            split, f"{rows:,}", "x".join(map(str, inputs.shape[1:])), inputs.dtype, counts or str(manifest.outputs)
        )
    return table


def _counts(counts: Sequence[int], classes: Sequence[str]) -> str:
    names = classes or [str(number) for number in range(len(counts))]
    told = ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True))
    return told if len(counts) <= 10 else f"{len(counts)} classes of {min(counts)} to {max(counts)}"
