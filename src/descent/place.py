"""What a run's directory says about its run: `run.json`, written whole or not at all."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hydra.core.override_parser.types import Quote, QuotedString

from descent import ownership
from descent.config import Config, located
from descent.durable import UNFINISHED, laid_out, sync_directory, sync_folder, write_durably, write_whole
from descent.errors import UsageError
from descent.identity import Identity
from descent.rules import LONGEST_LINE, cut
from descent.tracking.secrets import mask

FILE, RESULTS, EARLIER = "run.json", "results.json", "earlier"
OURS = {ownership.OWNER, ownership.LOCK, EARLIER}  # what stands in a directory of ours before its run.json does


class Damaged(UsageError):
    """A `run.json` that says nothing."""


@dataclass(frozen=True)
class Place:
    """A run as its directory knows it. `local_id` names it wherever it goes, from before its first step on."""

    directory: Path
    local_id: str
    name: str
    created: str
    overrides: tuple[str, ...]
    identity: Identity | None = None  # None until its parts were built: nothing is trained yet
    threads: int | None = None
    state: Literal["unfinished", "finished"] = "unfinished"
    resumed: int = 0
    extended_from: tuple[int, ...] = ()  # totals of epochs that were reached before it was given more
    results: str = RESULTS  # the results' file, in the directory
    lr_found: float | None = None  # what lr=find came to
    parent: str = ""  # the local id of the run whose repeat it is
    where: str = ""  # the tracking store knows it there

    @property
    def finished(self) -> bool:
        """Whether its results are there to be read."""
        return self.state == "finished" and (self.directory / self.results).is_file()

    @property
    def is_copy(self) -> bool:
        """Whether it is no run's directory but what a pipeline keeps of one."""
        return not self.created

    def copied(self, directory: Path, name: str, overrides: tuple[str, ...]) -> "Place":
        """The finished run without what differs from one attempt at it to the next, called by what it came to."""
        fresh: dict[str, Any] = {"created": "", "resumed": 0, "extended_from": (), "parent": "", "where": ""}
        return replace(self, directory=directory, local_id=name, overrides=overrides, results=RESULTS, **fresh)

    @property
    def ids(self) -> dict[str, str | None]:
        """By which its record is known, and that of the run it belongs to."""
        return {"local_id": self.local_id, "parent": self.parent or None}

    def kept(self, **changes: Any) -> "Place":
        """The same with changes, on disk when this returns."""
        changed = replace(self, **changes)
        write_durably(self.directory / FILE, changed._said())
        return changed

    def noted(self, **changes: Any) -> "Place":
        """The same with changes, on disk when its directory is synced."""
        changed = replace(self, **changes)
        write_whole(self.directory / FILE, changed._said())
        return changed

    def ended(self, where: str) -> None:
        """It is finished, which can be relied on after a loss of power too: what else it has left is on disk before."""
        sync_folder(self.directory)
        self.kept(state="finished", where=where)

    def _said(self) -> bytes:
        content = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "directory"}
        return laid_out({**content, "identity": None if self.identity is None else vars(self.identity)})


def begin(directory: Path, config: Config, parent: str = "") -> Place:
    """A new run in a directory that is ours."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Place(directory, uuid.uuid4().hex, config.name, now, given(config), parent=parent).noted()


def is_blank(directory: Path) -> bool:
    """Whether the machine lost its power before the run had anything to lose: its file has a name and no content."""
    return not (directory / "checkpoints").exists() and (directory / FILE).stat().st_size == 0


def given(config: Config) -> tuple[str, ...]:
    """The command line's overrides, as they are recorded: what names an earlier run is none of this one's.

    A file is recorded where it was found, so that they mean the same from any directory.
    """
    words = (word for word in config.overrides if _key(word) != "resume")
    return tuple(mask(_found(config) if _key(word) == "dataset.path" else word) for word in words)


def quoted(text: str) -> str:
    """As Hydra reads it back, whatever characters are in it."""
    return QuotedString(text.replace("${", "\\${"), Quote.single).with_quotes()


def _key(word: str) -> str:
    return word.lstrip("+").partition("=")[0]


def _found(config: Config) -> str:
    return f"dataset.path={quoted(str(located(config.dataset).settings['path']))}"


def read(directory: Path) -> Place | None:
    """The run of a directory; None where there is none, Damaged where it cannot be read."""
    file = directory / FILE
    try:
        said = json.loads(file.read_text())
        identity = None if said["identity"] is None else Identity(**said["identity"])
        lists = {name: tuple(said[name]) for name in ("overrides", "extended_from")}
        return Place(**{**said, **lists, "identity": identity, "directory": directory})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        hint = "resume=never starts anew and keeps what is there"
        raise Damaged(cut(f"{file}: damaged ({type(error).__name__}); {hint}", LONGEST_LINE)) from None


def refuse_foreign(directory: Path, key: str, mark: str = FILE) -> None:
    """A directory with files and without our mark is somebody's, and not to be written to."""
    names = {path.name for path in _entries(directory) if not path.name.endswith(UNFINISHED)}
    if names - OURS and mark not in names:
        rest = f", which has files and no {mark}; allowed a new or empty directory, or one of an earlier run"
        room = LONGEST_LINE - len(rest) - len(f"{key}: got ")
        raise UsageError(f"{key}: got {cut(str(directory), room)}{rest}")


def set_aside(directory: Path, name: str) -> Path:
    """Move what an earlier run left to `earlier/<name>`. `run.json` goes last, so that a kill leaves no stranger."""
    target = directory / EARLIER / name
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(_entries(directory), key=lambda path: (path.name == FILE, path.name)):
        if path.name not in OURS:
            path.rename(target / path.name)
    sync_directory(target)
    sync_directory(directory)
    return target


def forget(directory: Path) -> None:
    """Take back a run that was refused while it was built; whatever else stands in the directory stays, and it too."""
    fresh = {FILE, ownership.OWNER, ".hydra"}
    if {path.name for path in _entries(directory)} - fresh:
        return
    for path in sorted(directory.glob(".hydra/*")):
        path.unlink()
    if (directory / ".hydra").is_dir():
        (directory / ".hydra").rmdir()
    for name in (FILE, ownership.OWNER):
        (directory / name).unlink(missing_ok=True)


def _entries(directory: Path) -> Iterator[Path]:
    try:
        yield from directory.iterdir()
    except FileNotFoundError:
        return
