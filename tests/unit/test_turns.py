"""Loops that are measured in turns: one awake at a time, and nobody left behind."""

import importlib
import multiprocessing
from pathlib import Path

import pytest

from reference.turning import BUSY, broken, busy


@pytest.fixture
def turns(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("turns")


def test_they_never_run_at_once_and_their_clocks_stand_still(turns, tmp_path):
    """Beside each other both would have ended after as long as one takes."""
    seconds = turns.taking_turns({"one": busy, "other": busy}, 1, tmp_path)
    assert all(taken >= BUSY for [taken] in seconds.values()) and len(seconds) == 2
    began, ended = zip(*(map(float, path.read_text().split()) for path in tmp_path.glob("0/*/times")), strict=True)
    assert sum(taken for [taken] in seconds.values()) <= max(ended) - min(began)
    assert min(ended) > max(began), "one after the other, not in turns"
    assert multiprocessing.active_children() == []


def test_one_that_fails_ends_the_others(turns, tmp_path):
    with pytest.raises(EOFError):
        turns.taking_turns({"one": busy, "broken": broken}, 1, tmp_path)
    assert multiprocessing.active_children() == []
