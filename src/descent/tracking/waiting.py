"""Which outboxes hold something that their store has not got yet: one small file each, beside the local artifacts."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from descent.tracking.destination import Destination
from descent.tracking.secrets import mask


@dataclass(frozen=True)
class Entry:
    """An outbox, and where its content goes. An address with a secret in it is kept without."""

    local_id: str
    folder: Path
    destination: Destination
    has_secret: bool

    def reachable_from(self, others: list[Destination]) -> Destination | None:
        """Where to ship it, with the secret taken from a destination that has the same address."""
        if not self.has_secret:
            return self.destination
        uris = [other.uri for other in others if other.uri and mask(other.uri) == self.destination.uri]
        return replace(self.destination, uri=uris[0]) if uris else None


def announce(local_id: str, folder: Path, destination: Destination) -> None:
    """From now on somebody will ship this, whatever becomes of the process that fills it."""
    uri = destination.uri and mask(destination.uri)
    fields = {**asdict(destination), "uri": uri, "root": str(destination.root)}
    content = {"folder": str(folder.resolve()), "destination": fields, "has_secret": uri != destination.uri}
    _folder(destination.root).mkdir(parents=True, exist_ok=True)
    file = _folder(destination.root) / local_id
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(content))
    temporary.replace(file)


def entries(root: Path) -> Iterator[Entry]:
    """Everything that waits under a project's root, the oldest first."""
    with suppress(FileNotFoundError):
        for file in sorted(_folder(root).iterdir(), key=_age):
            if not file.suffix:
                with suppress(FileNotFoundError, json.JSONDecodeError):
                    yield _entry(file.name, json.loads(file.read_text()))


def is_waiting(local_id: str, root: Path) -> bool:
    """Whether that run still has something to be shipped."""
    return (_folder(root) / local_id).exists()


def forget(local_id: str, root: Path) -> None:
    """It has all arrived, or there is nothing left to ship."""
    (_folder(root) / local_id).unlink(missing_ok=True)


def _entry(local_id: str, content: dict[str, Any]) -> Entry:
    fields = content["destination"]
    destination = Destination(**{**fields, "root": Path(fields["root"])})
    return Entry(local_id, Path(content["folder"]), destination, content["has_secret"])


def _folder(root: Path) -> Path:
    return root.resolve() / "mlruns" / ".waiting"


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
