"""What DVC knows of a run: its stage, its revision, its experiment, and a hash of all that the stage depends on."""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress

PREFIX = "dvc."
SECONDS = 120
# DVC itself, in a process of its own: it is heavy, and it knows its hashes, what it ignores and what it has kept.
PROGRAM = """
import json, sys
from dvc.repo import Repo

with Repo() as repo:
    (stage,) = repo.stage.collect(sys.argv[1])
    stage.save_deps()
    found = {str(one): one.hash_info.value for one in stage.deps if one.hash_info}
print(json.dumps({path: value for path, value in found.items() if isinstance(value, str)}))
"""
_ODD = re.compile(r"[^\w./ :-]")  # what no tag's name may have


def facts(commit: str | None) -> dict[str, str]:
    """As tags of a run; none where no stage runs it."""
    stage = os.environ.get("DVC_STAGE")
    if not stage:
        return {}
    known = {"stage": stage, "revision": os.environ.get("DVC_EXP_BASELINE_REV") or commit or "none"}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        known["experiment"] = experiment
    known |= {f"deps.{_ODD.sub('_', path)}": value for path, value in _hashes(stage).items()}
    return {f"{PREFIX}{name}": value for name, value in known.items()}


def _hashes(stage: str) -> dict[str, str]:
    command = [sys.executable, "-c", PROGRAM, stage]
    with suppress(OSError, subprocess.TimeoutExpired, ValueError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}
    return {}
