"""Files that are whole or not there: after a kill, and after a loss of power."""

import json
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNFINISHED = ".part"


def write_durably(path: Path, content: bytes) -> None:
    """The file has the new content, on the disk itself, when this returns; until then it has the old one."""
    _write(path, content, on_disk=True)
    sync_directory(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """The file has the new content or the old one, whoever is killed when; a loss of power may leave it empty.

    Until it is synced, and its directory: where many belong together, all of them at their end.
    """
    _write(path, content, on_disk=False)


def _write(path: Path, content: bytes, on_disk: bool) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if on_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def sync_file(path: Path) -> None:
    """What others wrote there is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """The files that stand in it are on the disk, all at once, because it then takes them together; and their names.

    Folders in it are not looked into.
    """
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(_sync_if_there, (path for path in folder.iterdir() if path.is_file())):
            pass
    sync_directory(folder)


def _sync_if_there(path: Path) -> None:
    with suppress(FileNotFoundError):  # somebody's lock, which has been let go
        sync_file(path)


@contextmanager
def folder_made(folder: Path) -> Iterator[None]:
    """It is there for the body; where it was not before, it goes again unless something stays in it."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in made:
            with suppress(OSError):
                one.rmdir()


def write_json(path: Path, value: Any) -> None:
    """The value as JSON that people can read."""
    write_durably(path, laid_out(value))


def laid_out(value: Any) -> bytes:
    """JSON that people can read."""
    return (_laid_out(value) + "\n").encode()


def _laid_out(value: Any, margin: str = "\n") -> str:
    """A line for each entry of a mapping and each container in a list.

    It is many times as fast as `json.dumps` with an indentation, which does without its C.
    """
    inner = margin + " "
    if isinstance(value, dict) and value and all(type(key) is str for key in value):
        if not any(isinstance(part, _CONTAINERS) for part in value.values()):
            return "{" + inner + json.dumps(value, separators=("," + inner, ": "))[1:-1] + margin + "}"
        lines = [f"{json.dumps(key)}: {_laid_out(part, inner)}" for key, part in value.items()]
        return "{" + inner + ("," + inner).join(lines) + margin + "}"
    if isinstance(value, (list, tuple)) and any(isinstance(part, _CONTAINERS) for part in value):
        return "[" + inner + ("," + inner).join(map(json.dumps, value)) + margin + "]"
    return json.dumps(value)


_CONTAINERS = (dict, list, tuple)


def sync_directory(directory: Path) -> None:
    """What was renamed into or out of the directory stays so after a loss of power."""
    sync_file(directory)
