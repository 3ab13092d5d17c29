"""Files that are whole or not there: after a kill, and after a loss of power."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNFINISHED = ".part"


def write_durably(path: Path, content: bytes) -> None:
    """The file has the new content, on the disk itself, when this returns; until then it has the old one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


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
    write_durably(path, (json.dumps(value, indent=1) + "\n").encode())


def sync_directory(directory: Path) -> None:
    """What was renamed into or out of the directory stays so after a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
