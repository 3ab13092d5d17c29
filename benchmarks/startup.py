"""How long a command takes to answer, as a whole process."""

import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = str(Path(__file__).parents[1] / "src" / "train.py")
ANSWERS = {"--help": 0, "optimizer=adm": 2}  # argument → exit code


def answer(argument: str, root: Path) -> float:
    """Seconds until a command that trains nothing has ended."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, SCRIPT, argument], env=_environment(root), capture_output=True, cwd=root)
    assert done.returncode == ANSWERS[argument], done.stderr.decode()
    return time.perf_counter() - started


def first_epoch(root: Path) -> tuple[float, float]:
    """Seconds until the default run prints its first epoch, and until it has ended."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, SCRIPT], env=_environment(root), stdout=subprocess.PIPE, cwd=root) as run:
        assert run.stdout is not None
        seen = next(time.perf_counter() - started for line in run.stdout if line.startswith(b"epoch"))
        run.stdout.read()
    assert run.returncode == 0
    return seen, time.perf_counter() - started


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "DESCENT_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
