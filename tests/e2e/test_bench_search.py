"""The benchmark of searches: its functions are lowest where they are said to be, and its table says what it should."""

import importlib
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scipy.optimize import minimize

ROOT = Path(__file__).parents[2]


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("leads")


MIXED = {"optimizer": "adam", "optimizer=adam/lr": 1e-3, "optimizer=adam/beta": 0.93, "depth": 3, "width": 96}


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("sphere", dict(enumerate([1.3, -2.1, 3.4, 0.6, -3.7]))),
        ("branin", {"x": math.pi, "y": 2.275}),
        ("branin", {"x": -math.pi, "y": 12.275}),
        ("branin", {"x": 9.42478, "y": 2.475}),
        ("hartmann", dict(enumerate([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]))),
        ("noisy", dict(enumerate([0.35, -0.55, 0.15, 0.7]))),
        ("mixed", {**MIXED, "activation": "relu"}),
    ],
)
def test_the_lowest_points_are_where_they_are_said_to_be(leads: ModuleType, name: str, at: dict[Any, Any]) -> None:
    landscape = leads.LANDSCAPES[name]
    assert landscape.value(at) == pytest.approx(landscape.lowest, abs=1e-5)


@pytest.mark.parametrize("name", ["sphere", "branin", "hartmann", "noisy"])
def test_none_is_lower(leads: ModuleType, name: str) -> None:
    landscape = leads.LANDSCAPES[name]
    names, box = zip(*((one.name, (one.low, one.high)) for one in landscape.parameters), strict=True)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        start = [low + share * (high - low) for low, high in box]
        assert minimize(lambda x: landscape.value(dict(zip(names, x, strict=True))), start, bounds=box).fun > (
            landscape.lowest - 1e-5
        )


def test_a_study_is_a_function_of_its_seed(leads: ModuleType) -> None:
    ends = [leads.explore(leads.Study("genetic", "mixed", seed, 30)) for seed in (0, 0, 1)]
    assert ends[0] == ends[1] != ends[2]


def test_random_search_ends_at_the_lowest_it_measured(leads: ModuleType) -> None:
    noisy = leads.LANDSCAPES["noisy"]
    assert noisy.measured(1.0, 0, 3) == pytest.approx(noisy.measured(2.0, 0, 3) - 1.0) != pytest.approx(1.0)
    longer, shorter = (leads.explore(leads.Study("random", "sphere", 0, trials)) for trials in (60, 20))
    assert longer <= shorter


@pytest.mark.parametrize(
    ("each", "row"),
    [
        ([1.0, 2.0, 3.0], ["2.0000", "-0.4841 to 4.4841", "yes", "no"]),
        ([2.0, 2.1, 2.2], ["2.1000", "1.8516 to 2.3484", "yes", "yes"]),
    ],
)
def test_a_lead_is_kept_where_its_interval_is_above_zero(leads: ModuleType, each: list[float], row: list[str]) -> None:
    """The intervals by hand: t(0.975, 2) = 4.30265."""
    values = {f"anneal sphere {seed} 9": 1.0 for seed in range(3)}
    values |= {f"random sphere {seed} 9": 1.0 + lead for seed, lead in enumerate(each)}
    (made,) = leads.table([("anneal", "sphere")], {"anneal": 9}, 3, values).rows
    assert made[6:] == row and made[:3] == ["anneal", "sphere, 5 numbers", "9"]


def test_only_what_can_be_taken_is_run(leads: ModuleType) -> None:
    assert ("gp", "mixed") not in leads.pairs_of(()) and ("tpe", "mixed") in leads.pairs_of(())
    assert leads.pairs_of(["gp", "branin"]) == [("gp", "branin")]
    assert len(leads.pairs_of(())) == 23
    assert all(set(leads.NAMED[search]) <= {f for s, f in leads.pairs_of(()) if s == search} for search in leads.TRIALS)


def test_the_command_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    page, runs = tmp_path / "page.md", tmp_path / "runs.jsonl"
    page.write_text("before\n<!-- generated: make bench-search -->\n<!-- /generated -->\nafter\n")
    command = [sys.executable, str(ROOT / "benchmarks" / "search.py"), "--quick", "--only", "anneal", "branin"]
    command += ["--processes", "2", "--runs", str(runs), "--save", str(page)]
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        assert len(runs.read_text().splitlines()) == 4
    assert "| anneal | Branin, 2 numbers | 25 |" in page.read_text()
    assert page.read_text().startswith("before\n") and page.read_text().endswith("after\n")
