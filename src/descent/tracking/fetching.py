"""Reads back from the tracking store what a run has left there."""

import tempfile
from pathlib import Path

from descent.tracking.destination import Destination, resolved
from descent.tracking.outbox import FOLDER, Reader, stored_id
from descent.tracking.store import open_store


def artifact(destination: Destination, directory: Path, file: str) -> bytes | None:
    """A file of the run of a directory: from its outbox, or from the store that took it; None where neither has it."""
    waiting = sorted((directory / FOLDER / "files").glob(f"*/{file}"))
    if waiting:
        return waiting[0].read_bytes()
    run = stored_id(directory)
    if run is None:
        return None
    client = open_store(resolved(destination)).client
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return Path(client.download_artifacts(run, file, scratch)).read_bytes()
        except Exception:  # MLflow's own, a driver's, the disk's: it is not to be had
            return None


def shown_name(directory: Path) -> str | None:
    """The name under which the run of a directory is tracked; None where it is not."""
    first = Reader(directory / FOLDER).first()
    return None if first is None else first.name
