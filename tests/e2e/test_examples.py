"""The scripts of examples/ do what they say."""

import runpy
import sys
from pathlib import Path

import numpy as np
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
