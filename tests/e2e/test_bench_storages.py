"""The benchmark of storages runs; how fast each is, it says itself."""

import importlib
from pathlib import Path

import pytest

import postgres

ROOT = Path(__file__).parents[2]
STORAGES = ["journal", "sqlite", *(["postgresql"] if postgres.is_here() else [])]


@pytest.mark.slow
def test_it_measures_every_storage_with_one_worker_and_with_several(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    storages = importlib.import_module("storages")
    table = storages.measure(storages.Size(trials=(0, 3), workers=(1, 2), more=2))
    sizes = [(workers, trials) for workers in ("1 worker", "2 workers") for trials in (0, 3)]
    told = [[f"{one}, {workers}, after {trials} trials" for workers, trials in sizes] for one in STORAGES]
    assert [row[0] for row in table.rows] == [name for names in told for name in names]
    assert [row[3] for row in table.rows] == ["2", "2", "4", "4"] * len(STORAGES)
