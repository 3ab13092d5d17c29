"""A command as a stage of a DVC pipeline: which project it belongs to, where its run lies, and whom it dies with.

DVC runs experiments in copies of the project, which it deletes; the store, the runs and what is prepared stay with the
project itself. What a stage reads and writes by relative paths is the copy's.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from descent import lifeline
from descent.config import project_root

FOLDER = "pipeline"  # in runs/
COPIES = Path(".dvc", "tmp")  # in the project
SEARCHES = ("search=", "space=")
_DIGITS = 10


def begin(script: Path) -> None:
    """First thing in a command: say where its project is; as a stage it ends when DVC does."""
    copy = script.resolve().parents[1]
    main = Path(os.environ.get("DVC_ROOT") or copy).resolve()
    is_copy = copy.is_relative_to(main / COPIES)
    os.environ.setdefault("DESCENT_ROOT", str(main if is_copy else copy))
    if is_copy:
        os.environ["DESCENT_WORKSPACE"] = str(copy)
    if stage():
        lifeline.die_with_starter("dvc")


def stage() -> str:
    """The stage that DVC runs this command as; nothing where it does not."""
    return os.environ.get("DVC_STAGE", "")


def experiment() -> str:
    """The experiment that it belongs to."""
    return os.environ.get("DVC_EXP_NAME", "")


def place_of(given: Sequence[str], multirun: bool) -> list[str]:
    """Overrides that name the directory of a stage's run, so that the next attempt goes on with it.

    A search is named by what it is and the code that trains: a changed one is another study.
    """
    keys = {word.lstrip("+").partition("=")[0] for word in given}
    if not stage() or "outputs" not in keys:
        return []
    name = _plain(f"{experiment()}-{stage()}" if "DESCENT_WORKSPACE" in os.environ else stage())
    if multirun and any(word.startswith(SEARCHES) for word in given):
        return [] if "study" in keys else [f"study={name[-50:].strip('.-_')}-{_digest(given)}"]
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    if key in keys:
        return []
    from descent.place import quoted

    folder = "sweeps" if multirun else "runs"
    return [f"{key}={quoted(str(project_root() / folder / FOLDER / name))}"]


def _digest(given: Sequence[str]) -> str:
    from descent.identity import package_code

    facts = json.dumps([sorted(given), package_code()], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:_DIGITS]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)
