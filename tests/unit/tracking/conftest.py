"""One migrated store for all tests: each gets a copy, because making one takes most of a second."""

import shutil
import sqlite3
from pathlib import Path

import pytest

import descent
from descent.tracking.destination import Destination
from descent.tracking.store import open_store


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """No store of the user's, and children that find the package however it was found here."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(descent.__file__).parents[1]))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        open_store(Destination("local", None, "descent", root)).client._tracking_client.store.engine.dispose()
    with sqlite3.connect(root / "mlflow.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return root


@pytest.fixture
def local(made_once, tmp_path) -> Destination:
    """An existing local store under tmp_path."""
    shutil.copy(made_once / "mlflow.db", tmp_path / "mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        move = "UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)"
        connection.execute(move, (made_once.as_uri(), tmp_path.as_uri()))
    return Destination("local", None, "descent", tmp_path)
