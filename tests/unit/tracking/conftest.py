"""What every test of the tracking store may ask for."""

from pathlib import Path

import pytest

import descent
from descent.tracking.destination import Destination
from reference.stored import stocked


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """No store of the user's, and children that find the package however it was found here."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(descent.__file__).parents[1]))


@pytest.fixture
def local(tmp_path) -> Destination:
    """An existing local store under tmp_path."""
    return Destination("local", None, "descent", stocked(tmp_path))
