"""Files wait here, each in a folder of its own and without secrets, until they have been handed over."""

import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from descent.tracking.secrets import mask_file

LARGEST_MASKED = 8 << 20


class Staging:
    """A folder of numbered folders. What lies in one is complete when its number has been given out."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="descent-run-"))
        self._numbers = count()

    def put(self, file: str, write: Callable[[Path], Any]) -> str:
        """The folder in which `file` stands as `write` left it."""
        folder = self._root / str(next(self._numbers))
        target = folder / file
        target.parent.mkdir(parents=True)
        write(target)
        return str(folder)

    def clear(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)


def copy_masked(source: Path, target: Path) -> None:
    """A copy in which text is masked; what is binary, or larger than any configuration, is copied as it is."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=lambda one, other: copy_masked(Path(one), Path(other)))
        return
    text = _as_text(source)
    if text is None:
        shutil.copyfile(source, target)
    else:
        write_text(target, mask_file(text, source.name))


def write_text(target: Path, content: str) -> None:
    """Line ends stay as they are, and surrogate escapes become the bytes that they stand for."""
    target.write_bytes(content.encode("utf-8", "surrogateescape"))


def _as_text(path: Path) -> str | None:
    if path.stat().st_size > LARGEST_MASKED:
        return None
    content = path.read_bytes()
    if b"\0" in content[:8192]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
