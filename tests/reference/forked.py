"""The training script in processes that find the large libraries imported: for tests that need many of them."""

import multiprocessing
import os
import runpy
import sys
from pathlib import Path

TRAIN = Path(__file__).parents[2] / "src" / "train.py"
LARGE = ["torch", "torchvision", "pytorch_lightning", "hydra", "matplotlib.pyplot", "mlflow"]


def train(root: Path, arguments: list[str]) -> int:
    """As `python src/train.py …` in that root; returns how the process ended."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(LARGE)
    process = server.Process(target=_run, args=(root, arguments))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(root: Path, arguments: list[str]) -> None:
    os.environ["DESCENT_ROOT"] = str(root)
    os.chdir(root)
    sys.argv = [str(TRAIN), *arguments]
    sys.path.insert(0, str(TRAIN.parent))
    runpy.run_path(str(TRAIN), run_name="__main__")
