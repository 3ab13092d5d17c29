"""The benchmark of the comparison runs; what its figures are, it says itself."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_its_tables_have_their_rows(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    stats = importlib.import_module("stats")
    assert len(stats.false_alarms(2).rows) == 11 and len(stats.found(2).rows) == 8
    assert [row[0] for row in stats.intervals(2).rows][4] == "resampled, 8 normal values"
    assert [row[0] for row in stats.reading(2, tmp_path).rows] == ["2", "6", "20"]
