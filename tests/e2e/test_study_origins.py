"""A study that goes on with a module and a table that were edited since."""

import shutil
from pathlib import Path

import pytest

from reference import forked

PROJECT = Path(__file__).parents[2]
THEIRS = """
import torch
from torch import nn


class Theirs(nn.Sequential):
    def __init__(self, input_shape, outputs):
        super().__init__(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), outputs))
"""
SEARCH = ["-m", "search=random", "lr=0.1,0.2", "model=theirs", "epochs=1", "batch_size=8", "study=mine"]
SEARCH += ["dataset=csv", "dataset.target=fruit", "tracking=none"]


def searched(root, total):
    words = [f"--config-dir={root / 'conf'}", *SEARCH, f"dataset.path={root / 'orchard.csv'}", f"n_trials={total}"]
    return forked.train(root, words, {"PYTHONPATH": str(root)})


@pytest.mark.slow  # three searches
def test_other_code_is_named_and_other_data_refused(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "theirs.yaml").write_text("_target_: their_module.Theirs\n")
    (tmp_path / "their_module.py").write_text(THEIRS)
    table = tmp_path / "orchard.csv"
    shutil.copy(PROJECT / "examples" / "orchard.csv", table)
    first = searched(tmp_path, 2)
    assert (first.returncode, first.stderr) == (0, "")
    (tmp_path / "their_module.py").write_text(f"{THEIRS}# edited\n")
    second = searched(tmp_path, 3)
    assert (second.returncode, second.stderr) == (0, "")
    assert "note: 2 trials were made with other code (their_module.py): #0-1\n" in second.stdout
    table.write_text(table.read_text().replace("1,139,", "1,138,"))
    third = searched(tmp_path, 4)
    assert third.returncode == 2
    (line,) = third.stderr.splitlines()
    assert line.startswith("study: got mine, which has other data: digest ")
    assert line.endswith("; choose another name")
