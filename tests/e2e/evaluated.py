"""Small runs, trained here for the tests of `python src/evaluate.py`."""

import csv
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

from descent import assembly, door

PROJECT = Path(__file__).parents[2]
EVALUATE = PROJECT / "src" / "evaluate.py"
TABLE = "dataset=synthetic dataset.samples=200 dataset.shape=[6] epochs=1 model.hidden=[8] tracking=none"
COMMANDS = {
    "digits": "epochs=2 model.hidden=[16] tracking=local",
    "better": "epochs=4 model.hidden=[64] tracking=none",
    "table": f"{TABLE} dataset.classes=3",
    "binary": f"{TABLE} dataset.classes=2 loss=bce",
    "numbers": f"{TABLE} dataset.task=regression dataset.classes=2",
    "wide": f"{TABLE} dataset.val_fraction=0 dataset.test_fraction=0 precision=64",
    "several": f"{TABLE} seeds=2",
    "people": "dataset=csv dataset.path=people.csv dataset.target=class epochs=2 model.hidden=[8] tracking=none",
    "named": "dataset=breast_cancer epochs=1 model.hidden=[8] tracking=none",
    "sequence": "dataset=sequences dataset.samples=200 model=lstm model.hidden=8 epochs=1 tracking=none",
}


def people():
    """A table with numbers, a category, gaps and classes that follow from them."""
    random = np.random.default_rng(0)
    lines = ["age,town,class"]
    for age, town in zip(random.integers(18, 90, 150), random.choice(["Oslo", "Rome", ""], 150), strict=True):
        lines.append(f"{age if age % 7 else 'NA'},{town},{'old' if age > 50 else 'young'}")
    return "\n".join(lines) + "\n"


def trained(root, *names):
    """The root of a project, in which the runs of these names lie under runs/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESCENT_ROOT", str(root))
        patch.chdir(root)
        (root / "people.csv").write_text(people())
        for name in names:
            patch.setenv("HYDRA_FULL_ERROR", "0")
            words = [*COMMANDS[name].split(), f"name={name}", f"hydra.run.dir={root}/runs/{name}", "device=cpu"]
            patch.setattr(sys, "argv", ["train.py", *words])
            runpy.run_path(str(PROJECT / "src" / "train.py"), run_name="__main__")
            GlobalHydra.instance().clear()
    return root


def data_of(name):
    words = [word for word in COMMANDS[name].split() if not word.startswith("seeds")]
    return assembly.load(door.typed(door.compose(words)))


def report_of(project, name, split="test"):
    return json.loads((project / "runs" / name / "evaluate" / split / "report.json").read_text())


def rows_of(file):
    with Path(file).open(newline="") as stream:
        return list(csv.DictReader(stream))
