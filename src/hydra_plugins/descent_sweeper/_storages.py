"""Where a study is kept: a journal or an SQLite file in its directory, or a PostgreSQL server that many share."""

import importlib.util
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage

from descent import door, trials
from descent.errors import EnvironmentFault, UsageError
from hydra_plugins.descent_sweeper._journal import Journal

JOURNAL, SQLITE = "journal", "sqlite"
FILES = {JOURNAL: "study.journal", SQLITE: "study.db"}
NAME = "descent"  # of a study that has its file to itself
DRIVERS = ("psycopg", "psycopg2", "pg8000")
SECONDS_TO_ANSWER = 5
SECONDS_FOR_WRITERS = 60  # that SQLite waits for another's transaction
SECRETS = ("password", "sslpassword")  # in the query of an address
CREATION = 0x64657363  # the number of the server's lock under which tables are made


def opened(storage: str, directory: Path, *, make: bool) -> BaseStorage:
    """Ready for Optuna; with `make` its file or tables are made where there are none. Nobody else makes them then."""
    if storage == JOURNAL:
        return JournalStorage(Journal(directory / FILES[JOURNAL]))
    with answering(storage):
        return _sqlite(directory / FILES[SQLITE], make) if storage == SQLITE else _server(storage, make)


def name_in(storage: str, name: str, mark: str) -> str:
    """What the study is called there; on a server, which others use too, by a mark of its own."""
    return NAME if storage in FILES else f"{name}-{mark[:12]}"


def refuse_away(storage: str) -> None:
    """EnvironmentFault where a server does not answer or its driver is not installed; before anything is made."""
    if storage in FILES:
        return
    with answering(storage), _engine(storage).connect():
        pass


def refuse_another(earlier: Mapping[str, Any], storage: str, name: str) -> None:
    """A study lies where it was begun."""
    before = earlier.get("storage", JOURNAL)
    if before != shown(storage):
        line = f"storage: got {shown(storage)}, allowed {before}: study {name} lies there"
        raise UsageError(door.shortened(line, "; study=… begins another"))


@contextmanager
def answering(storage: str) -> Iterator[None]:
    """A fault of the storage in the body is one line, which names no password."""
    try:
        yield
    except Exception as error:
        if _is_missing_driver(error):
            drivers = " or ".join(DRIVERS)
            raise EnvironmentFault(
                door.shortened(f"storage: got {shown(storage)}", f", allowed with a driver: install {drivers}")
            ) from None
        if not is_fault_of_storage(error):
            raise
        reason = door.mask(_without_password(_reason(error), storage))
        hint = "; the same command goes on when it answers"
        raise EnvironmentFault(door.shortened(f"storage: {shown(storage)} is away: {reason}", hint)) from error


def _is_missing_driver(error: BaseException) -> bool:
    """Whether what could not be imported was a server's driver: SQLAlchemy knows none of that name, or asked for it."""
    if not isinstance(error, ImportError):
        return type(error).__name__ == "NoSuchModuleError"
    places = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(place.startswith("sqlalchemy.dialects.") for place in places)


def is_fault_of_storage(error: BaseException) -> bool:
    """Whether the storage failed, and no trial."""
    import optuna

    own = optuna.exceptions.StorageInternalError
    return isinstance(error, own) or type(error).__module__.partition(".")[0] == "sqlalchemy"


def shown(storage: str) -> str:
    """For eyes and records: without what lets others in."""
    if storage in FILES:
        return storage
    url = _parsed(storage)
    if url is None:
        return door.mask(storage)
    kept = {key: value for key, value in url.query.items() if key not in SECRETS}
    return str(type(url).create("postgresql", host=url.host, port=url.port, database=url.database, query=kept))


def _sqlite(file: Path, make: bool) -> BaseStorage:
    from optuna.storages import RDBStorage

    trials.close_databases()
    waits = {"connect_args": {"timeout": SECONDS_FOR_WRITERS}}
    # Who only opens it need not look whether its tables are there: that costs a tenth of a second.
    known = RDBStorage(_address_of(file), waits, skip_compatibility_check=not make, skip_table_creation=not make)
    if make:
        with known.engine.connect() as connection:  # readers wait for no writer; a commit still reaches the disk
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return _cached(known)


def _address_of(file: Path) -> str:
    """What means something in an address is quoted, and so is what Optuna would fill in."""
    from sqlalchemy.engine import URL, make_url

    address = URL.create("sqlite", database=str(file)).render_as_string()
    if make_url(address).database != str(file):
        end = " has a character that no address can hold; use storage=journal or another hydra.sweep.dir"
        raise EnvironmentFault(door.shortened(f"storage: {file}", end))
    return address.replace("{", "{{").replace("}", "}}")


def _server(storage: str, make: bool) -> BaseStorage:
    from optuna.storages import RDBStorage

    settings: dict[str, Any] = {"connect_args": _patience(storage), "pool_pre_ping": True}
    if not make:
        return _cached(RDBStorage(_url(storage), settings, skip_compatibility_check=True, skip_table_creation=True))
    with _engine(storage).connect() as connection:  # its lock ends with the connection, whoever dies
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({CREATION})")
        return _cached(RDBStorage(_url(storage), settings))


def _cached(storage: Any) -> BaseStorage:
    """Trials that have ended are read once."""
    import optuna

    return optuna.storages.get_storage(storage)


def _engine(storage: str) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine(_url(storage), poolclass=NullPool, connect_args=_patience(storage))


def _url(storage: str) -> str:
    """With the driver that is there, where the command names none."""
    scheme, _, rest = storage.partition("://")
    if scheme == "postgresql":
        found = [driver for driver in DRIVERS if importlib.util.find_spec(driver)]
        scheme = f"postgresql+{(found or DRIVERS)[0]}"
    return f"{scheme}://{rest}"


def _patience(storage: str) -> dict[str, Any]:
    return {"timeout" if "+pg8000" in _url(storage) else "connect_timeout": SECONDS_TO_ANSWER}


def _reason(error: BaseException) -> str:
    """The database's own words, the deepest of them."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    return said[0].strip()


def _without_password(text: str, storage: str) -> str:
    url = None if storage in FILES else _parsed(storage)
    for secret in [url.password, *map(url.query.get, SECRETS)] if url is not None else []:
        text = text.replace(str(secret), "***") if secret else text
    return text


def _parsed(storage: str) -> Any:
    """None where it is no address."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(storage)
    except (ArgumentError, ValueError):
        return None
