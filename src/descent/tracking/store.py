"""Where runs are kept: a SQLite file at the project's root, a server, or nowhere."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from descent import lifeline
from descent.durable import UNFINISHED, sync_directory, sync_file
from descent.errors import EnvironmentFault
from descent.tracking.destination import (
    SECONDS_FOR_LOCK,
    SQLITE,
    Destination,
    deleted,
    lifecycle_of,
    reason_of,
    unusable,
)
from descent.tracking.secrets import mask

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Read by mlflow when it is imported or when it calls. What the user has set stays; what leaves the machine does not.
_FORCED = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_PREFERRED = {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs a traceback for every failed statement that it also raises
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # and costs a call
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # 7 by default; what fails is tried again by ourselves, later
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Store:
    client: "MlflowClient"
    experiment_id: str
    uri: str
    parents: dict[str, str] = field(
        default_factory=dict, compare=False
    )  # of runs, by local id: they have many children
    log: Path | None = None  # of a database on this machine, what it has taken last

    def settle(self) -> None:
        """What it has taken outlives a loss of power."""
        if self.log:
            with suppress(FileNotFoundError):  # it is in the database already
                sync_file(self.log)


def open_store(destination: Destination) -> Store:
    """The store, ready to take runs; a local one is made where it is absent. EnvironmentFault if it is not usable."""
    quiet_mlflow()
    lifeline.close_databases()
    uri = destination.uri or sqlite_uri(destination.root.resolve() / "mlflow.db")
    shown = mask(_database_of(uri) if uri.startswith(SQLITE) else uri)
    try:
        if uri.startswith(SQLITE):
            with _no_stray_folder(uri):
                return _open_sqlite(uri, destination)
        return _open(uri, destination.experiment)
    except DeletedExperiment:
        raise deleted(destination.experiment) from None
    except Exception as error:  # whatever the driver of a store raises: there is no common base
        raise unusable(shown, reason_of(error)) from error


@cache
def sync_seldom() -> None:
    """Databases on this machine that this process opens wait for the disk when they settle, not at each transaction.

    A run makes dozens of them, and whoever trains beside it waits for the same disk. What is whole stays whole.
    """
    from sqlalchemy import Engine, event

    def relax(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            _, _, file = connection.execute("PRAGMA database_list").fetchone()
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if UNFINISHED in Path(file).name:  # a thousand transactions, and it has no name before it is synced
                connection.execute("PRAGMA synchronous=OFF")
            elif mode == "wal":  # without that log a loss of power in the middle could spoil the database
                connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(Engine, "connect", relax)


def quiet_mlflow() -> None:
    """Nothing is sent home, nothing is chatted, and no call hangs for minutes. Before mlflow is imported."""
    os.environ.update(_FORCED)
    for name, value in _PREFERRED.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(
        os.environ["MLFLOW_LOGGING_LEVEL"].upper()
    )  # if somebody has imported it already


class DeletedExperiment(Exception):
    """The experiment's name is taken by one in MLflow's bin."""


def sqlite_uri(database: Path) -> str:
    """The address of a database file. `%`, `?` and `#` in a path mean something in an address and are quoted."""
    from sqlalchemy.engine import URL

    uri = URL.create("sqlite", database=str(database)).render_as_string()
    if _database_of(uri) != str(database):  # not every version of SQLAlchemy reads back what it writes
        raise EnvironmentFault(
            f"tracking: {database} has a character that no database address can hold; rename the folder or "
            "use tracking=none"
        )
    return uri


def _database_of(uri: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(uri).database or ""


def _open(uri: str, experiment: str) -> Store:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        try:
            return Store(client, client.create_experiment(experiment), uri)
        except MlflowException:
            # Somebody else was quicker, or it is a fault that shows again now.
            found = client.get_experiment_by_name(experiment)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise DeletedExperiment
    return Store(client, found.experiment_id, uri)


def _open_sqlite(uri: str, destination: Destination) -> Store:
    database = Path(_database_of(uri)).resolve()
    artifacts = destination.root.resolve() / "mlruns"
    if lifecycle_of(database, destination.experiment) is None:
        artifacts.mkdir(parents=True, exist_ok=True)
        with _lock(artifacts / ".lock"):
            # MLflow's own migrations kill each other when several processes start on a store that does not exist yet.
            if lifecycle_of(database, destination.experiment) is None:
                _prepare(uri, database, artifacts, destination.experiment)
    if not os.access(database, os.W_OK) or not os.access(database.parent, os.W_OK):
        raise PermissionError("Permission denied")
    return replace(_open(uri, destination.experiment), log=database.with_name(f"{database.name}-wal"))


@contextmanager
def _no_stray_folder(uri: str) -> Iterator[None]:
    """MLflow makes the database's folder from the address as it is written: beside the real one where it is quoted."""
    written = Path(uri.removeprefix(SQLITE)).parent
    is_stray = "%" in uri and not written.exists()
    try:
        yield
    finally:
        if is_stray:
            with suppress(OSError):  # nothing was made, or somebody has put something there
                os.removedirs(written)


def _prepare(uri: str, database: Path, artifacts: Path, experiment: str) -> None:
    """A new store is made beside its place and renamed: a kill in the middle of MLflow's migrations would ruin it."""
    if database.exists():
        _add_experiment(uri, artifacts, experiment)
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in database.parent.glob(f".{database.name}{UNFINISHED}*"):
        left.unlink()
    unfinished = database.with_name(f".{database.name}{UNFINISHED}")
    _add_experiment(sqlite_uri(unfinished), artifacts, experiment)
    with closing(sqlite3.connect(unfinished, timeout=SECONDS_FOR_LOCK)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # readers and one writer do not wait for each other
    sync_file(unfinished)
    unfinished.replace(database)
    sync_directory(database.parent)


def _add_experiment(uri: str, artifacts: Path, experiment: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # The client's own store would fix the artifacts' place relative to the working directory.
    store: Any = SqlAlchemyStore(uri, artifacts.as_uri())  # type: ignore[no-untyped-call]
    store.search_experiments()
    store.create_experiment(experiment)
    store.engine.dispose()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = FileLock(path, timeout=SECONDS_FOR_LOCK)
    try:
        with lock:
            yield
    except Timeout:
        raise TimeoutError(f"{path.name} has been held by another process for {SECONDS_FOR_LOCK} s") from None
