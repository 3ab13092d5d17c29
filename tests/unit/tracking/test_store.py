"""A store is found or made where it belongs, and one that is not usable says so in a line."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from descent.errors import EnvironmentFault, UsageError
from descent.tracking.destination import Destination, refuse_unusable, resolved
from descent.tracking.store import open_store, sqlite_uri

NOBODY = 65534


def refused(destination: Destination) -> str:
    with pytest.raises(EnvironmentFault) as caught:
        open_store(destination)
    message = str(caught.value)
    assert "\n" not in message
    assert "tracking=none" in message
    return message


def test_a_store_is_made_at_the_root_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store = open_store(Destination("local", None, "mine", tmp_path / "root"))
    names = {path.name for path in (tmp_path / "root").iterdir()}
    assert names - {"mlflow.db-wal", "mlflow.db-shm"} == {"mlflow.db", "mlruns"}
    assert list((tmp_path / "elsewhere").iterdir()) == []
    for experiment in store.client.search_experiments():
        assert experiment.artifact_location.startswith((tmp_path / "root" / "mlruns").as_uri())


def test_a_local_store_is_in_wal_mode(local):
    with contextlib.closing(sqlite3.connect(local.root / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


SYNCS = """
import sqlite3, sys
from pathlib import Path
from sqlalchemy import Engine, create_engine, event, text
from descent.tracking.destination import Destination
from descent.tracking import store
seen = {}
store.sync_seldom()
event.listen(Engine, "connect", lambda connection, record: seen.update(
    {connection.execute("PRAGMA database_list").fetchone()[2].rpartition("/")[2]:
     connection.execute("PRAGMA synchronous").fetchone()[0]}))
root = Path(sys.argv[1])
store.open_store(Destination("local", None, "descent", root))
with create_engine(f"sqlite:///{root}/plain.db").connect() as connection:
    connection.execute(text("CREATE TABLE t (x)"))
print(seen)
"""


def test_who_ships_waits_for_the_disk_where_the_store_settles_and_for_other_databases_always(tmp_path):
    """0: never, before it has its name; 1: where its log is synced; 2: at each transaction."""
    done = subprocess.run([sys.executable, "-c", SYNCS, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "{'.mlflow.db.part': 0, 'mlflow.db': 1, 'plain.db': 2}\n"


def test_nobody_else_does(local):
    store = open_store(local)
    with store.client._tracking_client.store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    store.settle()
    assert store.log == local.root.resolve() / "mlflow.db-wal"


def test_an_existing_store_is_opened_again(local):
    first, second = open_store(local), open_store(local)
    assert first.experiment_id == second.experiment_id
    assert first.client.get_experiment(first.experiment_id).name == "descent"


def test_an_experiment_is_added_to_an_existing_store(local):
    other = open_store(Destination("local", None, "other", local.root))
    assert other.experiment_id != open_store(local).experiment_id
    location = other.client.get_experiment(other.experiment_id).artifact_location
    assert location.startswith((local.root / "mlruns").as_uri())


def test_the_users_own_address_is_respected(local, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{local.root}/mlflow.db")
    assert open_store(resolved(Destination("local", None, "descent", tmp_path / "unused"))).uri.endswith(
        f"{local.root}/mlflow.db"
    )
    assert not (tmp_path / "unused").exists()


def test_a_deleted_experiment_is_named(local):
    store = open_store(local)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(EnvironmentFault, match=r"tracking\.experiment: descent was deleted"):
        open_store(local)
    with pytest.raises(EnvironmentFault, match=r"tracking\.experiment: descent was deleted"):
        refuse_unusable(local)


def test_a_usable_store_and_an_absent_one_are_not_refused(local, tmp_path):
    refuse_unusable(local)
    refuse_unusable(Destination("local", None, "other", local.root))
    refuse_unusable(Destination("local", None, "descent", tmp_path / "not" / "yet"))
    refuse_unusable(Destination("server", "http://127.0.0.1:9", "descent", tmp_path))
    assert not (tmp_path / "not").exists()


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert "not a SQLite database" in refused(Destination("local", None, "descent", tmp_path))
    with pytest.raises(EnvironmentFault, match="tracking=none"):
        refuse_unusable(Destination("local", None, "descent", tmp_path))


def test_a_damaged_database(local):
    content = bytearray((local.root / "mlflow.db").read_bytes())
    content[100:60_000] = os.urandom(59_900)
    (local.root / "mlflow.db").write_bytes(content)
    assert "mlflow.db" in refused(local)


def test_a_root_that_cannot_be_written(tmp_path):
    (tmp_path / "root").write_text("a file where a folder should be")
    refused(Destination("local", None, "descent", tmp_path / "root"))
    with pytest.raises(EnvironmentFault, match="tracking=none"):
        refuse_unusable(Destination("local", None, "descent", tmp_path / "root"))


def test_a_read_only_folder():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        was = os.geteuid()
        if was == 0:
            os.seteuid(NOBODY)  # root may write everywhere
        try:
            assert "permission denied" in refused(Destination("local", None, "descent", Path(folder)))
        finally:
            os.seteuid(was)
            Path(folder).chmod(0o755)


def test_an_outdated_schema_is_not_migrated_behind_the_users_back(local):
    with sqlite3.connect(local.root / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '728d730b5ebd'")
    assert "mlflow db upgrade" in refused(local)


def test_a_server_that_refuses_is_given_up_at_once():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://ann:hunter2@127.0.0.1:{unused.getsockname()[1]}"
        message = refused(Destination("server", uri, "descent", None))
    assert "connection refused" in message
    assert "hunter2" not in message


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "no answer" in refused(Destination("server", uri, "descent", None))


def test_a_server_without_an_address_is_a_wrong_command():
    with pytest.raises(UsageError, match=r"tracking\.uri"):
        resolved(Destination("server", None, "descent", None))


def test_nothing_is_sent_home_and_nothing_is_said(tmp_path):
    code = f"""
from pathlib import Path
from descent.tracking.destination import Destination
from descent.tracking.store import open_store

NOBODY = 65534
open_store(Destination("local", None, "descent", Path({str(tmp_path)!r})))
import threading
from mlflow.telemetry.utils import is_telemetry_disabled
assert is_telemetry_disabled()
assert threading.active_count() == 1, threading.enumerate()
"""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["a b%20c#?d", "100%", "a#b", "what?x=1"])
def test_a_root_with_any_name_holds_its_store(tmp_path, name):
    root = tmp_path / name
    root.mkdir()
    destination = Destination("local", None, "descent", root)
    client = open_store(destination).client
    run = client.create_run(open_store(destination).experiment_id)
    client.log_text(run.info.run_id, "text", "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (root / "mlflow.db").exists()
    assert [path.read_text() for path in root.glob("mlruns/**/a.txt")] == ["text"]


def test_a_path_that_does_not_survive_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("descent.tracking.store._database_of", lambda uri: "elsewhere")
    with pytest.raises(EnvironmentFault, match="rename the folder"):
        sqlite_uri(tmp_path / "mlflow.db")


KILLED_WHILE_MAKING = """
import sys, threading, os, signal
from pathlib import Path
from descent.tracking.destination import Destination
from descent.tracking.store import open_store
root = Path(sys.argv[1])

def kill_when_it_grows():
    made = root / ".mlflow.db.part"
    while not made.exists() or made.stat().st_size < int(sys.argv[2]):
        pass
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill_when_it_grows, daemon=True).start()
open_store(Destination("local", None, "descent", root))
"""


@pytest.mark.parametrize("size", [1, 150_000])
def test_a_kill_while_the_store_is_made_leaves_none_that_is_ruined(tmp_path, size):
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_MAKING, str(tmp_path), str(size)], check=False)
    assert killed.returncode == -9
    assert not (tmp_path / "mlflow.db").exists()
    store = open_store(Destination("local", None, "descent", tmp_path))
    assert store.client.get_experiment(store.experiment_id).name == "descent"
    assert [path.name for path in tmp_path.glob(".mlflow.db*")] == []
