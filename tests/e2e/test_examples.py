"""The scripts of examples/ do what they say."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).parents[2]
PICTURE = PROJECT / "docs" / "pictures" / "augmentation.png"


def test_the_picture_of_augmentations_is_the_one_in_the_docs(tmp_path, monkeypatch):
    """Of so many rows, and what is not drawn at random, the image itself, is in each."""
    made = tmp_path / "made.png"
    monkeypatch.setattr(sys, "argv", ["augmentation.py", str(made)])
    runpy.run_path(str(PROJECT / "examples" / "augmentation.py"), run_name="__main__")
    ours, kept = (np.asarray(Image.open(file).convert("RGB"), dtype=float) for file in (made, PICTURE))
    assert ours.shape == kept.shape and PICTURE.stat().st_size < 60_000
    assert np.abs(ours - kept).mean() < 2
    rows = np.split(ours[:, 84 : 84 + 64], len(ours) // 64)
    assert all(np.abs(row - rows[0]).mean() < 3 for row in rows)
    assert np.abs(rows[0] - ours[:64, 84 + 64 : 84 + 128]).mean() > 10


@pytest.fixture(scope="module")
def lessons():
    return runpy.run_path(str(PROJECT / "examples" / "lessons.py"))


def test_each_table_of_the_lessons_has_a_lesson_and_a_picture(lessons):
    page = (PROJECT / "docs" / "lessons.md").read_text()
    tables = re.findall(r"<!-- measured: python examples/lessons.py (\w+) -->\n(.*?)\n<!-- /measured", page, re.DOTALL)
    assert len(tables) >= 5 and {name for name, _ in tables} <= set(lessons["LESSONS"])
    for name, table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1 and len(table.splitlines()) >= 5
        assert f"(pictures/lesson_{name}.png)" in page


def test_a_lesson_measures_what_training_and_validation_came_to(lessons):
    came = lessons["came"]("optimizer=sgd", "lr=0.1", "model.hidden=[8]", "epochs=2", target=0.0, seeds=[0, 1])
    assert came["gap/loss"] == pytest.approx(came["best/val/loss"] - came["best/train/loss"])
    assert len(came.curves["train/loss"]) == 2
    assert (came.reached, came.diverged) == (1, 0)
