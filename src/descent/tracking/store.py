"""Where runs are kept: a SQLite file at the project's root, a server, or nowhere."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from descent.errors import EnvironmentFault, UsageError
from descent.tracking.secrets import mask

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
LONGEST_REASON = 120
SECONDS_FOR_LOCK = 60

# Read by mlflow when it is imported or when it calls. What the user has set stays; what leaves the machine does not.
_FORCED = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_PREFERRED = {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs a traceback for every failed statement that it also raises
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # and costs a call
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 7 by default: four minutes without an answer
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}


@dataclass(frozen=True)
class Destination:
    """What the configuration says about where runs go. `root` is the project's."""

    kind: Literal["local", "server", "none"]
    uri: str | None
    experiment: str
    root: Path


@dataclass(frozen=True)
class Store:
    client: "MlflowClient"
    experiment_id: str
    uri: str


def open_store(destination: Destination) -> Store:
    """The store, ready to take runs; a local one is made where it is absent. EnvironmentFault if it is not usable."""
    quiet_mlflow()
    uri = _uri(destination)
    shown = mask(_database_of(uri) if uri.startswith(SQLITE) else uri)
    try:
        if uri.startswith(SQLITE):
            with _no_stray_folder(uri):
                return _open_sqlite(uri, destination)
        with patience(IMPATIENT):
            return _open(uri, destination.experiment)
    except DeletedExperiment:
        hint = "restore it or choose another with tracking.experiment=…"
        raise EnvironmentFault(f"tracking.experiment: {destination.experiment} was deleted; {hint}") from None
    except Exception as error:  # whatever the driver of a store raises: there is no common base
        raise EnvironmentFault(
            f"tracking: {shown} is not usable: {reason_of(error)}; mend it or use tracking=none"
        ) from None


def quiet_mlflow() -> None:
    """Nothing is sent home, nothing is chatted, and no call hangs for minutes. Before mlflow is imported."""
    os.environ.update(_FORCED)
    for name, value in _PREFERRED.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(
        os.environ["MLFLOW_LOGGING_LEVEL"].upper()
    )  # if somebody has imported it already


def reason_of(error: BaseException) -> str:
    """The gist of another library's message in a few masked words."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and len(chain) < 10:
        chain.append(cause)
    for link in chain:
        for kind, words in _KNOWN.items():
            if kind in f"{type(link).__name__}: {link}":
                return words
    first = next(iter(str(error).splitlines()), "")
    return mask(f"{type(error).__name__}: {first}")[:LONGEST_REASON]


# Fragments of other libraries' messages, for people only: nothing branches on them.
_KNOWN = {
    "file is not a database": "not a SQLite database",
    "malformed": "the database is damaged",
    "readonly database": "read-only",
    "Read-only file system": "read-only",
    "Permission denied": "permission denied",
    "unable to open database": "the file cannot be opened or made",
    "database is locked": "locked by another program",
    "disk is full": "the disk is full",
    "No space left": "the disk is full",
    "out-of-date database schema": "made by another MLflow; run `mlflow db upgrade`",
    "Can't locate revision": "made by a newer MLflow",
    "NameResolutionError": "no such host",
    "Connection refused": "connection refused",
    "ReadTimeout": "no answer",
    "ConnectTimeout": "no answer",
    "timed out": "no answer",
}


class DeletedExperiment(Exception):
    """The experiment's name is taken by one in MLflow's bin."""


def _uri(destination: Destination) -> str:
    given = destination.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if destination.kind == "server" and not given:
        raise UsageError("tracking.uri: got nothing, allowed: an address; set tracking.uri=http://…")
    return given or sqlite_uri(destination.root.resolve() / "mlflow.db")


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
    if not _has_experiment(database, destination.experiment):
        artifacts.mkdir(parents=True, exist_ok=True)
        with _lock(artifacts / ".lock"):
            # MLflow's own migrations kill each other when several processes start on a store that does not exist yet.
            if not _has_experiment(database, destination.experiment):
                _prepare(uri, database, artifacts, destination.experiment)
    if not os.access(database, os.W_OK) or not os.access(database.parent, os.W_OK):
        raise PermissionError("Permission denied")
    return _open(uri, destination.experiment)


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


def _has_experiment(database: Path, name: str) -> bool:
    """Whether the store is complete: the experiment is the last thing that its preparation makes."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(database, timeout=SECONDS_FOR_LOCK)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'experiments'").fetchone()
        known = tables[0] and connection.execute("SELECT 1 FROM experiments WHERE name = ?", (name,)).fetchone()
    return bool(known)


def _prepare(uri: str, database: Path, artifacts: Path, experiment: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    # The client's own store would fix the artifacts' place relative to the working directory.
    store: Any = SqlAlchemyStore(uri, artifacts.as_uri())  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(database, timeout=SECONDS_FOR_LOCK)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # readers and one writer do not wait for each other
    store.search_experiments()
    store.create_experiment(experiment)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = FileLock(path, timeout=SECONDS_FOR_LOCK)
    try:
        with lock:
            yield
    except Timeout:
        raise TimeoutError(f"{path.name} has been held by another process for {SECONDS_FOR_LOCK} s") from None


@contextmanager
def patience(settings: dict[str, str]) -> Iterator[None]:
    """MLflow reads these at every call, so they can differ for a few of them."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in (name for name, value in before.items() if value is None):
            del os.environ[name]
