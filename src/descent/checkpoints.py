"""Two generations of a training's state on disk, each whole, verified, and loadable without running any code.

A file's name carries the digest of its content, so that both appear in one rename.
"""

import hashlib
import io
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import CheckpointIO

from descent.durable import UNFINISHED, sync_directory, write_durably
from descent.errors import EnvironmentFault
from descent.rules import LONGEST_LINE, cut

GENERATIONS = 2
DAMAGED = ".damaged"
_NAME = re.compile(r"step-(\d+)-(\d+)-([0-9a-f]{16})\.pt")


class Checkpoints:
    """The states of one run, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: dict[str, Any], step: int) -> Path:
        """Write a new generation and then drop the oldest; EnvironmentFault where the disk does not take it."""
        data, found = _serialised(state), self._found()
        number = 1 + max(map(_generation, found), default=0)
        path = self.folder / f"step-{step:010d}-{number:06d}-{_digest(data)}.pt"
        try:
            self._make_folder()
            write_durably(path, data)
            for old in found[: len(found) - GENERATIONS + 1]:
                old.unlink(missing_ok=True)
        except OSError as error:
            hint = "earlier ones are whole: mend it and repeat the command"
            line = f"checkpoint: {error.strerror or error}; {hint}: {self.folder}"
            raise EnvironmentFault(cut(line, LONGEST_LINE)) from error
        return path

    def newest(self) -> Path | None:
        """The newest one that is as it was written; a damaged one is said and set aside for the one before it."""
        found = self._found()
        while found:
            path = found.pop()
            if (fault := _fault(path)) is None:
                return path
            instead = f"using the older one of step {_step(found[-1])}" if found else "starting from the beginning"
            line = f"checkpoint of step {_step(path)} is damaged ({fault}), {instead}: {path}"
            print(cut(line, LONGEST_LINE), file=sys.stderr)
            with suppress(OSError):  # out of the two generations, or a later one would push out the good one first
                path.rename(path.with_suffix(DAMAGED))
        return None

    def sweep(self) -> None:
        """Remove what a killed process was writing."""
        for path in self.folder.glob(f".*{UNFINISHED}"):
            path.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir()
            sync_directory(self.folder.parent)

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
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_durably(Path(path), _serialised(checkpoint))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return state

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def place_of(path: Path) -> tuple[int, int]:
    """The epoch and the step of a whole one."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["descent"]
    return int(state["position"][0]), int(state["steps_done"])


def _fault(path: Path) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        return str(error.strerror)
    found = _NAME.fullmatch(path.name)
    assert found is not None
    if _digest(data) != found[3]:
        return f"{len(data)} bytes that were not written so"
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch says of a file that is not its own
        return f"torch cannot read it: {type(error).__name__}"
    return None


def _serialised(state: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _generation(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[2]) if found else 0


def _step(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0
