"""Copies of files and texts without their secrets."""

import shutil
from pathlib import Path

from descent.tracking.secrets import mask_file

LARGEST_MASKED = 8 << 20


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
