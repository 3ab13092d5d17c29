"""Two generations of a training's state on disk, each whole, verified, and loadable without running any code.

A file's name carries the digest of its content, so that both appear in one rename.
"""

import hashlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import CheckpointIO

from descent.durable import UNFINISHED, write_durably
from descent.errors import EnvironmentFault
from descent.rules import LONGEST_LINE, cut

GENERATIONS = 2
_NAME = re.compile(r"step-(\d+)-(\d+)-([0-9a-f]{16})\.pt")


class Checkpoints:
    """The states of one run, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: dict[str, Any], step: int) -> Path:
        """Write a new generation and then drop the oldest; EnvironmentFault where the disk does not take it."""
        content = io.BytesIO()
        torch.save(state, content)
        data = content.getvalue()
        found = self._found()
        number = 1 + max(map(_generation, found), default=0)
        path = self.folder / f"step-{step:010d}-{number:06d}-{_digest(data)}.pt"
        try:
            self.folder.mkdir(exist_ok=True)
            write_durably(path, data)
        except OSError as error:
            why = error.strerror or error
            hint = "earlier ones are whole: mend it and repeat the command"
            raise EnvironmentFault(cut(f"checkpoint: {self.folder}: {why}; {hint}", LONGEST_LINE)) from error
        for old in found[: len(found) - GENERATIONS + 1]:
            old.unlink(missing_ok=True)
        return path

    def newest(self) -> Path | None:
        """The newest one that is as it was written; a damaged one is said and the one before it is taken."""
        found = self._found()
        while found:
            path = found.pop()
            if (fault := _fault(path)) is None:
                return path
            instead = f"the one of step {_step(found[-1])} is used" if found else "training starts from its beginning"
            print(cut(f"checkpoint: {path} is damaged ({fault}): {instead}", LONGEST_LINE), file=sys.stderr)
        return None

    def sweep(self) -> None:
        """Remove what a killed process was writing."""
        for path in self.folder.glob(f".*{UNFINISHED}"):
            path.unlink(missing_ok=True)

    def _found(self) -> list[Path]:
        """The oldest first."""
        return sorted((path for path in self.folder.glob("*.pt") if _NAME.fullmatch(path.name)), key=_generation)


class DurableFiles(CheckpointIO):
    """How Lightning writes and reads: our own folder through its generations, any other place as it is named."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if Path(path).parent == self._checkpoints.folder:
            self._checkpoints.save(checkpoint, int(checkpoint["global_step"]))
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_durably(Path(path), content.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return state

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _fault(path: Path) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        return str(error.strerror)
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return None if _digest(data) == found[3] else f"{len(data)} bytes that were not written so"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _generation(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[2]) if found else 0


def _step(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0
