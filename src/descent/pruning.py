"""What nothing points to any more: `python src/prune.py` shows it and, with `yes=true`, removes it.

The rule, in docs/pruning.md: a run, a sweep or a reproduction stays while anything points to it, and goes as a whole.
"""

import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from descent import ownership, place
from descent.config import project_root
from descent.entering import SWEEP_FILE
from descent.errors import EnvironmentFault
from descent.finding import FOLDERS, STUDY, WEIGHTS
from descent.outputs import trainings_in, trainings_of
from descent.place import Damaged
from descent.tracking import waiting
from descent.tracking.destination import Destination
from descent.tracking.remembering import Memory, State, memory_of

REPRODUCTIONS, CHECKPOINTS = "reproductions", "checkpoints"
PRUNED = ".pruned-"  # what a prune was removing when it was killed
STAYS: set[State] = {"active", "registered", "elsewhere"}
DAY = 24 * 3600
ASK = "ask"
OURS = (place.FILE, STUDY, SWEEP_FILE)


@dataclass(frozen=True)
class Candidate:
    """A directory that may go, and why."""

    directory: Path
    why: str
    size: int


def prune(days: float, checkpoints: bool, yes: bool | str, uri: str | None) -> None:
    """Show what would go, with sizes, and remove it where that was said."""
    root = project_root()
    found = sorted(candidates(root, days, checkpoints, uri), key=lambda one: (-one.size, one.directory))
    for one in found:
        print(f"{_shown(one.size):>9}  {one.directory.relative_to(root)}  ({one.why})")
    if not found:
        print("nothing to remove: something points to every run, or it is too young")
        return
    print(f"{_shown(sum(one.size for one in found)):>9}  in {_counted(found)}", flush=True)
    if yes is True or (yes == ASK and _answered()):
        print(f"freed {_shown(sum(_remove(one, root) for one in found))}")
    else:
        print("nothing was removed; yes=true does it")


def _answered() -> bool:
    if not sys.stdin.isatty():
        return False
    print("remove them? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def candidates(root: Path, days: float, checkpoints: bool, uri: str | None) -> Iterator[Candidate]:
    """Everything of the project that nothing points to. Nothing is changed on disk."""
    memory = memory_of(Destination("local", uri, "descent", root))
    kept, oldest = _weights_of_outputs(root), time.time() - days * DAY
    for unit in _units(root):
        if why := _why(unit, root, memory, kept, oldest):
            yield Candidate(unit, why, _size(unit))
            continue
        for aside in unit.rglob(f"{place.EARLIER}/*/{place.FILE}"):
            if why := _why(aside.parent, root, memory, kept, oldest):
                yield Candidate(aside.parent, f"put aside, {why}", _size(aside.parent))
        if checkpoints:
            yield from (Candidate(one, "of a finished run", _size(one)) for one in _checkpoints(unit))


def _units(root: Path) -> Iterator[Path]:
    """Directories that stay or go as a whole: a run with its repeats, a sweep with its trials, what they put aside."""
    for name in (*FOLDERS, REPRODUCTIONS):
        yield from _inside(root / name)


def _inside(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.is_dir() or path.is_symlink():
            continue
        if path.name.startswith(PRUNED) or any((path / mark).exists() for mark in OURS):
            yield path
        else:
            yield from _inside(path)


def _why(unit: Path, root: Path, memory: Memory, outputs: set[str], oldest: float) -> str:
    """The reason for which it goes; nothing where it stays."""
    if unit.name.startswith(PRUNED):
        return "a prune was killed here"
    if _is_held(unit):
        return ""
    try:
        runs = [run for file in unit.rglob(place.FILE) if (run := place.read(file.parent))]
        digests = {digest for run in runs for digest in trainings_of(run.directory)}
    except (Damaged, OSError, ValueError, KeyError):
        return ""  # a person has to look at it
    local_ids = filter(None, (memory.id_of(unit), *(run.local_id for run in runs)))
    if any(waiting.is_waiting(local_id, root) for local_id in local_ids):
        return ""
    states = {memory.state_of(one, where) for one, where in ((unit, ""), *((run.directory, run.where) for run in runs))}
    if digests & outputs or states & STAYS:
        return ""
    finished = bool(runs) and all(run.finished for run in runs)
    if finished and states <= {"deleted", "untracked"} and "deleted" in states:
        return "deleted in the tracking store"
    return "" if _newest(unit) > oldest else _old(finished, states)


def _old(finished: bool, states: set[State]) -> str:
    if not finished:
        return "old and unfinished"
    return "old and never tracked" if states == {"untracked"} else "old and no longer in the tracking store"


def _is_held(unit: Path) -> bool:
    """Whether a process of this machine, or any of another, is at work in it."""
    owners = filter(None, (ownership.owner_of(file.parent) for file in unit.rglob(ownership.OWNER)))
    here = ownership.this_process().host
    return any(one.host != here or ownership.is_alive(one.pid, one.started) for one in owners)


def _checkpoints(unit: Path) -> Iterator[Path]:
    """Of finished runs: what extends them."""
    if _is_held(unit):
        return
    for file in unit.rglob(place.FILE):
        folder = file.parent / CHECKPOINTS
        with suppress(Damaged):
            run = place.read(file.parent)
            if run is not None and run.finished and folder.is_dir():
                yield folder


def _weights_of_outputs(root: Path) -> set[str]:
    """What a pipeline's outs came to: their runs are pointed to."""
    found: set[str] = set()
    for folder in (file.parent for name in (WEIGHTS, "trials.csv") for file in root.glob(f"outputs/**/{name}")):
        found |= {*trainings_of(folder), *(trainings_in(folder) or ())}
    return found


def _remove(one: Candidate, root: Path) -> int:
    """The bytes that it has freed; none where somebody has begun to work there since."""
    if one.directory.name.startswith(PRUNED) or one.directory.name == CHECKPOINTS:
        shutil.rmtree(one.directory, ignore_errors=True)
        return one.size
    try:
        ownership.claim(one.directory)
    except EnvironmentFault as error:
        print(f"left: {error}")
        return 0
    ownership.release(one.directory)
    aside = one.directory.with_name(f"{PRUNED}{uuid.uuid4().hex[:8]}")
    one.directory.rename(aside)  # at once: half a run would be a strange one
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(OSError):  # where something else is in it
        for folder in one.directory.parents:
            if folder == root:
                break
            folder.rmdir()
    return one.size


def _size(folder: Path) -> int:
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*") if not file.is_dir())


def _newest(folder: Path) -> float:
    return max((file.lstat().st_mtime for file in (folder, *folder.rglob("*"))), default=0.0)


def _shown(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"


def _counted(found: list[Candidate]) -> str:
    return f"{len(found)} director{'y' if len(found) == 1 else 'ies'}"
