"""Reads back from the tracking store what a run has left there."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from descent.tracking.destination import Destination, resolved
from descent.tracking.outbox import FOLDER, Reader, stored_id
from descent.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

LENGTH = 32  # of a run's id


def artifact(destination: Destination, directory: Path, file: str) -> bytes | None:
    """A file of the run of a directory: from its outbox, or from the store that took it; None where neither has it."""
    waiting = sorted((directory / FOLDER / "files").glob(f"*/{file}"))
    if waiting:
        return waiting[0].read_bytes()
    run = stored_id(directory)
    if run is None:
        return None
    return _downloaded(open_store(resolved(destination)).client, run, file)


def _downloaded(client: "MlflowClient", run: str, file: str) -> bytes | None:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return Path(client.download_artifacts(run, file, scratch)).read_bytes()
        except Exception:  # MLflow's own, a driver's, the disk's: it is not to be had
            return None


@dataclass(frozen=True)
class Kept:
    """A run as its store keeps it."""

    run_id: str
    local_id: str
    started: int  # in milliseconds since 1970
    where: str
    read: Callable[[str], bytes | None]  # an artifact's content


def kept_run(destination: Destination, text: str) -> Kept | None:
    """The one run of the store whose id or local id begins so; None where there is none, or no store."""
    there = resolved(destination)
    if there.database is not None and not there.database.exists():  # opening it would make it
        return None
    store = open_store(there)
    experiments = [one.experiment_id for one in store.client.search_experiments()]
    found = store.client.search_runs(experiments, f"tags.local_id LIKE '{text}%'", max_results=2)
    if not found and len(text) == LENGTH:
        found = store.client.search_runs(experiments, f"attributes.run_id = '{text}'", max_results=1)
    if len(found) != 1:
        return None
    run_id, tags = found[0].info.run_id, found[0].data.tags
    where = f"{there.shown} run {run_id}"
    return Kept(
        run_id,
        tags.get("local_id", run_id),
        found[0].info.start_time or 0,
        where,
        lambda file: _downloaded(store.client, run_id, file),
    )


def shown_name(directory: Path) -> str | None:
    """The name under which the run of a directory is tracked; None where it is not."""
    first = Reader(directory / FOLDER).first()
    return None if first is None else first.name
