"""`resume=<run>` on the command line: the run's own overrides and its directory are put before what was written."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from descent import processes, rules
from descent.finding import KEY, WORDS, find_run
from descent.place import Place, quoted
from descent.tracking.outbox import stored_id
from descent.tracking.secrets import HIDDEN

DIRECTORY = "hydra.run.dir"


def recalled(words: Sequence[str], root: Path) -> list[str]:
    """The overrides that were meant: those of the run that `resume=` names, then the given ones."""
    text = named(words)
    if text is None:
        return list(words)
    run = find_run(text, root, stored_id)
    _refuse_other_place(words, run)
    given = {_key(word) for word in words}
    own = [word for word in run.overrides if _key(word) not in given and HIDDEN not in word]
    rest = [word for word in words if _key(word).lstrip("+") != KEY]
    place = [f"{DIRECTORY}={quoted(str(run.directory))}"] if processes.rank() == 0 else []
    return [*own, *place, *rest, f"{KEY}={quoted(text)}"]


def named(words: Sequence[str]) -> str | None:
    """The run that the command line names, as it was written; None for auto, never, nothing, and what is no text."""
    given = [word for word in words if _key(word).lstrip("+") == KEY]
    if not given:
        return None
    try:
        override = OverridesParser.create().parse_override(given[-1])
    except (HydraException, ValueError):
        return None  # refused where every word is read
    value = override.value()
    if override.is_sweep_override() or isinstance(value, bool | list | dict) or value in (None, "", *WORDS):
        return None
    return value if isinstance(value, str) else given[-1].partition("=")[2]  # an id of digits alone is no number


def _refuse_other_place(words: Sequence[str], run: Place) -> None:
    for word in words:
        if _key(word) != DIRECTORY:
            continue
        given = word.partition("=")[2].strip("'\"")
        if Path(given).resolve() != run.directory.resolve():
            raise rules.refuse(DIRECTORY, given, f"nothing with {KEY}=…", "a run goes on in its own directory")


def _key(word: str) -> str:
    return word.partition("=")[0]
