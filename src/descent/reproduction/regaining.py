"""A run's directory made anew from what the tracking store has of it, where it is gone."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from descent import place, rules
from descent.comparison.account import HISTORY, LOSSES
from descent.durable import UNFINISHED, write_json
from descent.errors import DataError
from descent.finding import WEIGHTS, is_like_an_id
from descent.identity import Identity
from descent.place import Place
from descent.reproduction import recording
from descent.tracking.destination import Destination
from descent.tracking.fetching import Kept, kept_run
from descent.tracking.outbox import FOLDER as OUTBOX
from descent.tracking.outbox import STATE

FOLDER = Path("runs", "restored")
FILES = (recording.FILE, place.RESULTS, HISTORY, WEIGHTS, f"diagnostics/{LOSSES}")  # among a run's artifacts


def regained(text: str, root: Path) -> Place | None:
    """The run with that id, in a new directory; None where no store knows it. DataError where a file is lacking."""
    if not is_like_an_id(text):
        return None
    found = kept_run(Destination("local", None, "descent", root), text)
    if found is None:
        return None
    directory = root / FOLDER / found.local_id
    unfinished = directory.with_name(f".{found.local_id}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for file in FILES:
            _fetch(found, file, unfinished)
        _place_of(found, unfinished).kept()
        unfinished.rename(directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(f"restored: {directory} from {found.where}", flush=True)
    return place.read(directory)


def _fetch(found: Kept, file: str, directory: Path) -> None:
    content = found.read(file)
    if content is None:
        line = (
            f"run: {found.run_id[:8]} has no {file} in {rules.cut(found.where, 60)}; it cannot be made again from there"
        )
        raise DataError(rules.cut(line, rules.LONGEST_LINE))
    (directory / Path(file).name).write_bytes(content)


def _place_of(found: Kept, directory: Path) -> Place:
    said = recording.checked(directory)
    (directory / OUTBOX).mkdir()
    write_json(directory / OUTBOX / STATE, {"run_id": found.run_id})
    return Place(
        directory,
        found.local_id,
        str(said["name"]),
        datetime.fromtimestamp(found.started / 1000, UTC).isoformat(timespec="microseconds"),
        tuple(said["overrides"]),
        identity=Identity(**said["identity"]),
        threads=int(said["resolved"]["threads"]),
        state="finished",
        extended_from=tuple(said["extended_from"]),
        parent=said["parent"],
        where=found.where,
    )
