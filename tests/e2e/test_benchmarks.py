"""The benchmarks run; how fast anything is, they say themselves."""

import importlib
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RATIOS = [
    ("digits MLP", "plain loop"),
    ("digits MLP", "ordinary Lightning"),
    ("digits MLP", "itself without tracking.steps"),
    ("MNIST-size MLP", "plain loop"),
    ("MNIST-size MLP", "ordinary Lightning"),
    ("MNIST-size MLP", "ordinary Lightning, image by image"),
    ("MNIST-size MLP", "itself without tracking.steps"),
    ("small CNN", "plain loop"),
    ("small CNN", "ordinary Lightning"),
    ("small CNN", "itself without tracking.steps"),
    ("article's augmentation, 3x32x32", "torchvision, PIL image by image"),
    ("4 digits trials of 2 epochs, workers=2", "ordinary Lightning, Hydra's own multirun"),
    ("4 digits trials of 2 epochs: until the best value, pruner=median", "ordinary Lightning, Hydra's own multirun"),
]
MARKS = ("make bench", "make bench, augmentation", "make bench, sweeps", "make bench, diagnosis")
BETWEEN_MARKS = "".join(f"before\n<!-- generated: {mark} -->\nold\n<!-- /generated -->\nafter\n" for mark in MARKS)
COMMANDS = ["train.py --help", "train.py optimizer=adm", "train.py: until the first epoch's line"]


def test_a_page_keeps_what_stands_outside_its_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mark its own tables."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    augmentation, report = map(importlib.import_module, ("augmentation", "report"))
    page = tmp_path / "page.md"
    page.write_text(BETWEEN_MARKS)
    report.save(augmentation.measure(rounds=1, quick=True), page, MARKS[1])
    first, second, third, fourth, rest = page.read_text().split("<!-- /generated -->")
    assert "old" in first and "old" not in second and "old" in third + fourth and rest == "\nafter\n"
    work, against, ratio, *_ = cells(second)[2]
    assert (work, against) == RATIOS[10] and float(ratio) > 0


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a quick run of everything writes into a page."""
    page = tmp_path_factory.mktemp("bench") / "page.md"
    page.write_text(BETWEEN_MARKS)
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--quick", "--save", str(page)]
    subprocess.run(command, cwd=page.parent, check=True, capture_output=True, timeout=540)
    return page.read_text()


def cells(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


@pytest.mark.slow
@pytest.mark.parametrize(("work", "against"), RATIOS)
def test_every_ratio_is_there_and_finite(page: str, work: str, against: str) -> None:
    ratio = next(row[2] for row in cells(page) if row[:2] == [work, against])
    assert math.isfinite(float(ratio)) and float(ratio) > 0


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_timed(page: str, command: str) -> None:
    assert float(next(row[1] for row in cells(page) if row[0] == command)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["of 4 trials", "after 10 trials"])
def test_what_passes_between_two_trials_is_timed(page: str, what: str) -> None:
    assert math.isfinite(float(next(row[1] for row in cells(page) if row[0] == what)))


@pytest.mark.slow
def test_the_verdicts_share_is_there(page: str) -> None:
    [row] = [row for row in cells(page) if row[0].startswith("MNIST-size MLP, 1 epochs") and row[3].endswith("%")]
    assert 0 < float(row[1]) < float(row[2])


@pytest.mark.slow
def test_only_what_stands_between_the_markers_is_rewritten(page: str) -> None:
    kept = [rf"before\n<!-- generated: {mark} -->.*<!-- /generated -->\nafter\n" for mark in MARKS]
    assert re.fullmatch("".join(kept), page, re.DOTALL)
    assert "old" not in page
