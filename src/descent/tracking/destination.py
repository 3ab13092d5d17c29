"""Where runs go, as the configuration says it, and what can be known of the place without MLflow."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from descent.errors import EnvironmentFault, UsageError
from descent.tracking.secrets import mask

SQLITE = "sqlite:///"
SECONDS_FOR_LOCK = 60


@dataclass(frozen=True)
class Destination:
    """What the configuration says about where runs go. `root` is the project's."""

    kind: Literal["local", "server", "none"]
    uri: str | None
    experiment: str
    root: Path

    @property
    def database(self) -> Path | None:
        """The local SQLite file, where it is one."""
        if self.uri is None:
            return self.root.resolve() / "mlflow.db"
        return Path(unquote(self.uri.removeprefix(SQLITE))).resolve() if self.uri.startswith(SQLITE) else None

    @property
    def shown(self) -> str:
        """As a person may see it."""
        return mask(str(self.database or self.uri))


def resolved(destination: Destination) -> Destination:
    """With the address that the environment gives, where the configuration gives none."""
    uri = destination.uri or os.environ.get("MLFLOW_TRACKING_URI") or None
    if destination.kind == "server" and not uri:
        raise UsageError("tracking.uri: got nothing, allowed: an address; set tracking.uri=http://…")
    return replace(destination, uri=uri)


def refuse_unusable(destination: Destination) -> None:
    """A local database that will never take a run is refused before there is one; a server may come back."""
    database = destination.database
    if database is None:
        return
    try:
        lifecycle = lifecycle_of(database, destination.experiment)
        _refuse_unwritable(database)
    except (OSError, sqlite3.Error) as error:
        raise unusable(destination.shown, reason_of(error)) from None
    if lifecycle == "deleted":
        raise deleted(destination.experiment)


def deleted(experiment: str) -> EnvironmentFault:
    """The one line about an experiment whose name is taken by one in MLflow's bin."""
    hint = "restore it or choose another with tracking.experiment=…"
    return EnvironmentFault(f"tracking.experiment: {experiment} was deleted; {hint}")


def unusable(shown: str, reason: str) -> EnvironmentFault:
    """The one line about a store that takes nothing."""
    return EnvironmentFault(f"tracking: {shown} is not usable: {reason}; mend it or use tracking=none")


def lifecycle_of(database: Path, experiment: str) -> str | None:
    """`active` or `deleted`; None where the store is not complete: the experiment is the last thing that is made."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(database, timeout=SECONDS_FOR_LOCK)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'experiments'").fetchone()
        if not tables[0]:
            return None
        query = "SELECT lifecycle_stage FROM experiments WHERE name = ?"
        found = connection.execute(query, (experiment,)).fetchone()
    return str(found[0]) if found else None


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


LONGEST_REASON = 120
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


def _refuse_unwritable(database: Path) -> None:
    place = database
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK) or (place == database and not os.access(database.parent, os.W_OK)):
        raise PermissionError("Permission denied")
    if place != database and not place.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(place))
