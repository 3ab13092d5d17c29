"""Which run somebody means: by its directory, its id, its name, or as the latest one."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from descent import place, rules
from descent.errors import UsageError
from descent.place import Damaged, Place

KEY = "resume"
WORDS = ("auto", "never")
LATEST, BEST = "latest", "best"
WEIGHTS = "weights.safetensors"
STUDY = "study.json"  # marks the directory of a search
SHORTEST_PREFIX = 8
FOLDERS = ("runs", "sweeps")
SHOWN = 3  # of the newest runs, where none is meant


def find_run(
    text: str, root: Path, stored_id: Callable[[Path], str | None] = lambda directory: None, key: str = KEY
) -> Place:
    """The one run that the text means, or UsageError in one line; a repeat is meant by its id or directory alone.

    `stored_id` tells a tracking store's id of a run, `key` is the one that the text was given under.
    """
    if found := _at(Path(text).expanduser(), key):
        return found
    every = sorted(runs_under(root), key=lambda run: run.created, reverse=True)
    runs = [run for run in every if not run.parent]
    if text == LATEST and runs:
        return runs[0]
    for means in (
        _by_id,
        lambda run, text: stored_id(run.directory) == text,
        lambda run, text: run.name == text and not run.parent,
    ):
        meant = [run for run in every if means(run, text)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise rules.refuse(key, text, "one run's id", f"{len(meant)} have that name or id: {_listed(meant)}")
    raise _unknown(text, runs, key)


def meant(text: str, root: Path, stored_id: Callable[[Path], str | None], key: str) -> Place:
    """The same, or the best one."""
    if text != BEST:
        return find_run(text, root, stored_id, key)
    found = best_run(root)
    if found is None:
        raise rules.refuse(key, text, "a run's id, name or directory", "there is no finished run yet")
    return found


def refuse_unknown(text: str | None) -> None:
    """What a script is given under `run`, before it imports anything heavy."""
    from descent.config import project_root
    from descent.tracking.outbox import stored_id

    if text is not None:
        meant(text, project_root(), stored_id, "run")


def is_like_an_id(text: str) -> bool:
    """Whether a tracking store may know a run by it, whose directory is gone."""
    return len(text) >= SHORTEST_PREFIX and set(text) <= set("0123456789abcdef")


def best_run(root: Path) -> Place | None:
    """The best by the objective among the finished runs that have it and the data in common with the newest of them.

    Each repeat counts for itself.
    """
    weighty = (run for run in runs_under(root) if run.finished and (run.directory / WEIGHTS).is_file())
    finished = sorted(weighty, key=lambda run: run.created)
    if not finished:
        return None
    alike = [run for run in finished if _contest(run) == _contest(finished[-1])]
    sign = -1 if _contest(finished[-1])[1] == "minimize" else 1
    known = [run for run in alike if math.isfinite(_objective(run))]
    return max(known or alike[-1:], key=lambda run: sign * _objective(run))


def _contest(run: Place) -> tuple[str, str, str]:
    assert run.identity is not None, "a finished run has one"
    settings = run.identity.settings
    return str(settings.get("objective")), str(settings.get("direction")), run.identity.data


def _objective(run: Place) -> float:
    try:
        return float(json.loads((run.directory / run.results).read_text())["objective"])
    except (OSError, ValueError, KeyError, TypeError):
        return float("nan")


def way_on(directory: Path, root: Path) -> str:
    """What a person types to go on with the run of a directory; nothing where it holds none."""
    run = _readable(directory)
    if run is None:
        return ""
    return f"{word_for(run, root)} goes on with it"


def word_for(run: Place, root: Path) -> str:
    """`resume=…` as it finds this run: by its id where it is looked for, else by its directory."""
    listed = any(run.directory.resolve().is_relative_to((root / folder).resolve()) for folder in FOLDERS)
    return f"{KEY}={run.local_id[:SHORTEST_PREFIX] if listed else run.directory}"


def runs_under(root: Path) -> Iterator[Place]:
    """Every run of the project that can be read. Runs that were put aside are not among them."""
    for folder in FOLDERS:
        yield from _runs_in(root / folder)


def _runs_in(folder: Path) -> Iterator[Place]:
    if not folder.is_dir():
        return
    if (folder / place.FILE).exists():
        if found := _readable(folder):
            yield found
        inside = [path for path in folder.iterdir() if path.name.isdigit()]
    else:
        inside = list(folder.iterdir())
    for path in inside:
        if path.is_dir() and not path.is_symlink() and path.name != place.EARLIER and path.name[0] != ".":
            yield from _runs_in(path)


def _readable(directory: Path) -> Place | None:
    try:
        return place.read(directory)
    except Damaged:
        return None


def _at(path: Path, key: str) -> Place | None:
    """The run of a directory that was named as such."""
    if not path.is_dir():
        return None
    found = place.read(path.resolve())
    if found is None and key != KEY and (path / STUDY).is_file():
        return _best_of_study(path, key)
    if found is None and len(path.parts) > 1:
        raise rules.refuse(key, path, "a run's directory", f"there is no {place.FILE} in it")
    return found


def _best_of_study(path: Path, key: str) -> Place:
    """A search's best point, trained once more when the search has ended."""
    if found := place.read((path / "best").resolve()):
        return found
    hint = "a search trains its best when it ends; name one of its trials' directories"
    raise rules.refuse(key, path, "a run's directory", hint)


def _by_id(run: Place, text: str) -> bool:
    return len(text) >= SHORTEST_PREFIX and run.local_id.startswith(text)


def _unknown(text: str, runs: list[Place], key: str) -> UsageError:
    newest = f"the newest: {_listed(runs)}" if runs else "there is no run yet"
    words = (*(WORDS if key == KEY else (BEST,)), LATEST)
    names = [run.name for run in runs]
    close = "" if text in words else rules.near(text, words) or rules.near(text, names)
    allowed = f"{' | '.join(words)} | a run's id, name or directory"
    return rules.refuse(key, text, allowed, close or newest)


def _listed(runs: list[Place]) -> str:
    return ", ".join(f"{run.local_id[:SHORTEST_PREFIX]} {rules.cut(run.name, 12)}" for run in runs[:SHOWN])
