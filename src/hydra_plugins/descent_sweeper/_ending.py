"""The end of a sweep on the screen, a grid's or a search's: best first, failures last, and what to do next."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent import door

MOST_FAILURES = 10  # that are told
AXES = ("seed", "fold")  # what groups vary in and are not made by
EXPERIMENT = "descent"  # unless another is named
UNGROUPED = ("name", "tags", "space")


@dataclass(frozen=True)
class Row:
    """A trial that is shown: its own words, and what it came to."""

    number: int
    words: Sequence[str]
    values: Sequence[str]


@dataclass(frozen=True)
class Failure:
    """A trial that came to nothing, and where the whole story stands."""

    number: int
    words: Sequence[str]
    why: str
    where: str


@dataclass(frozen=True)
class Ending:
    """What a sweep came to."""

    title: str
    columns: Sequence[str]  # metrics
    rows: Sequence[Row]
    failures: Sequence[Failure] = ()
    remarks: Sequence[str] = ()
    commands: Sequence[str] = ()
    of_commands: str = "best:"
    table_title: str | None = field(default=None)


def show(ending: Ending) -> None:
    """The table, then lines; nothing in them is taken for markup."""
    console = Console()
    _say(console, [ending.title])
    if ending.rows:
        table = Table(title=ending.table_title, title_justify="left")
        table.add_column("#", justify="right")
        table.add_column("overrides")
        for column in ending.columns:
            table.add_column(column, justify="right")
        for row in ending.rows:
            table.add_row(str(row.number), escape(door.mask(" ".join(row.words))), *row.values)
        console.print(table)
    _say(console, failure_lines(ending.failures))
    _say(console, ending.remarks)
    if ending.commands:
        _say(console, [ending.of_commands, *(f"  {command}" for command in ending.commands)])


def failure_lines(failures: Sequence[Failure]) -> list[str]:
    """One for each, up to so many."""
    told = [
        f"failed: #{one.number} {door.mask(' '.join(one.words))}: {one.why} ({one.where})"
        for one in failures[:MOST_FAILURES]
    ]
    rest = len(failures) - len(told)
    return [*told, *([f"and {rest} more failed"] if rest else [])]


def show_next(keys: Iterable[str], run: object, tracking: Any, among: str) -> None:
    """Commands that look closer: `keys` differ, `run` is the best one's directory, `among` the word for these runs."""
    if commands := next_commands(keys, run, tracking, among):
        _say(Console(), ["next:", *(f"  {command}" for command in commands)])


def next_commands(keys: Iterable[str], run: object, tracking: Any, among: str) -> list[str]:
    """What was recorded can be compared where it is; the pages of MLflow are the project's own store alone."""
    named = [key.lstrip("+") for key in keys]
    by = [key for key in dict.fromkeys(named) if key not in AXES and key.split(".")[0] not in UNGROUPED]
    words = ["python", "src/compare.py", f"by={','.join(by)}", among, *_stored(tracking)]
    compare = door.mask(shlex.join(words)) if by and tracking.kind != "none" else ""
    evaluate = shlex.join(["python", "src/evaluate.py", f"run={run}"]) if run else ""
    pages = "make ui" if tracking.kind == "local" and tracking.uri is None else ""
    return [command for command in (compare, evaluate, pages) if command]


def _stored(tracking: Any) -> list[str]:
    """Where the runs are, unless that is where they always are."""
    experiment = [] if tracking.experiment == EXPERIMENT else [f"tracking.experiment={tracking.experiment}"]
    return [*experiment, *([] if tracking.uri is None else [f"tracking.uri={tracking.uri}"])]


def train_command(words: Sequence[str], searchpath: Sequence[str], primary: Sequence[str]) -> str:
    """What trains a point again, as an ordinary run."""
    return door.mask(shlex.join(["python", "src/train.py", *where(searchpath, primary), *words]))


def where(searchpath: Sequence[str], primary: Sequence[str]) -> list[str]:
    """The words that say where a command's choices lie, and with which file it begins."""
    named = [f"--config-path={primary[0]}", f"--config-name={primary[1]}"] if primary else []
    return [*([door.searched(searchpath)] if searchpath else []), *named]


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
