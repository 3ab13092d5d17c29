"""The benchmarks run; how fast anything is, they say themselves."""

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
]
COMMANDS = ["train.py --help", "train.py optimizer=adm", "train.py: until the first epoch's line"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a quick run of everything writes into a page."""
    page = tmp_path_factory.mktemp("bench") / "page.md"
    page.write_text("before\n<!-- generated: make bench -->\nold\n<!-- /generated -->\nafter\n")
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
def test_only_what_stands_between_the_markers_is_rewritten(page: str) -> None:
    assert re.fullmatch(r"before\n<!-- generated.*<!-- /generated -->\nafter\n", page, re.DOTALL)
    assert "old" not in page
