"""`provenance.json`: all that a run's repetition needs to know, in the run's own directory and among its artifacts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from descent.config import Config, located, source_root
from descent.durable import laid_out, write_whole
from descent.errors import DataError
from descent.interpolation import copied
from descent.place import Place
from descent.reproduction import patches
from descent.rules import LONGEST_LINE, cut
from descent.tracking.provenance import Source
from descent.tracking.secrets import mask_values

FILE = "provenance.json"
NEEDED = (
    *("source.commit", "source.dirty", "source.diff_sha256", "source.root", "resolved.threads", "resolved.tested"),
    *("composed.dataset", "composed.trainer", "composed.tracking.kind", "composed.tracking.uri", "choices"),
    *("composed.tracking.experiment", "overrides", "many", "extended_from", "identity", "local_id", "name", "parent"),
)


def keep(
    place: Place, config: Config, source: Source, environment: Mapping[str, str], resolved: Mapping[str, Any]
) -> None:
    """Of a first sitting. `resolved` is what the machine decided: threads, chunk, device, whether the test was read."""
    patches.keep(source.diff, source.diff_sha256)
    made = {name: getattr(source, name) for name in ("commit", "branch", "dirty", "diff_sha256")}
    said = {
        "source": {**made, "root": str(source_root())},
        "environment": dict(environment),
        "resolved": dict(resolved),
    }
    _write(place, config, said)


def renew(place: Place, config: Config) -> None:
    """Of a later sitting: the code is the same by then, the epochs may be more."""
    if (place.directory / FILE).exists():
        _write(place, config, read(place.directory))


def read(directory: Path) -> dict[str, Any]:
    """What was kept; empty where nothing was."""
    file = directory / FILE
    try:
        said = json.loads(file.read_text())
        if not isinstance(said, dict):
            raise TypeError
        return cast(dict[str, Any], said)
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise DataError(cut(f"{file}: damaged ({type(error).__name__})", LONGEST_LINE)) from None


def checked(directory: Path) -> dict[str, Any]:
    """What was kept, with all that a repetition reads; empty where nothing was. DataError where some is missing."""
    said = read(directory)
    if said and (lacking := [name for name in NEEDED if not _has(said, name.split("."))]):
        line = f"{directory / FILE}: it lacks {', '.join(lacking[:3])}; the run cannot be made again from it"
        raise DataError(cut(line, LONGEST_LINE))
    return said


def _has(node: Any, path: list[str]) -> bool:
    return not path or (isinstance(node, dict) and path[0] in node and _has(node[path[0]], path[1:]))


def _write(place: Place, config: Config, said: Mapping[str, Any]) -> None:
    raw, choices = config.composed
    composed = copied(raw)
    if "path" in composed["dataset"]:
        composed["dataset"]["path"] = located(config.dataset).settings["path"]  # from any directory
    how = {"composed": composed, "choices": dict(choices), "overrides": list(config.overrides)}
    who = {"local_id": place.local_id, "name": place.name, "parent": place.parent}
    more = {"many": config.one_of_many, "extended_from": list(place.extended_from)}
    made = place.identity
    identity = made and {**vars(made), "settings": mask_values(made.settings)}  # digests of code hold no secret
    said = {**mask_values({**said, **who, **how, **more}), "identity": identity}
    write_whole(place.directory / FILE, laid_out(said))
