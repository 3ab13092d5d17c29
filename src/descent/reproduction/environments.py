"""The environment that a run's lock file names, made once and kept by the lock's digest."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from descent import rules
from descent.errors import EnvironmentFault
from descent.reproduction.patches import folder as beside

READY = ".ready"


def python_of(kind: str, tree: Path) -> str:
    """The interpreter to run with: the present one, or with `rebuild` that of the tree's lock."""
    return sys.executable if kind == "present" else str(_rebuilt(tree / "requirements.lock") / "bin" / "python")


def _rebuilt(lock: Path) -> Path:
    if not lock.is_file():
        raise EnvironmentFault("environment: this run's commit has no requirements.lock; environment=present goes on")
    place = beside().with_name("environments") / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if (place / READY).exists():
        return place
    print(f"making the environment of {lock.name} in {place}", flush=True)
    try:
        for command in _commands(lock, place):
            subprocess.run(command, check=True, capture_output=True, text=True)
        (place / READY).touch()
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(place, ignore_errors=True)
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        line = f"environment: {lock.name} cannot be installed: {' '.join(said)}"
        raise EnvironmentFault(rules.cut(line, rules.LONGEST_LINE)) from None
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def _commands(lock: Path, place: Path) -> list[list[str]]:
    python = str(place / "bin" / "python")
    if uv := shutil.which("uv"):
        made = [uv, "venv", "--quiet", "--python", sys.executable, str(place)]
        return [made, [uv, "pip", "sync", "--quiet", "--python", python, str(lock)]]
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    return [[sys.executable, "-m", "venv", str(place)], [*pip, "-r", str(lock)]]
