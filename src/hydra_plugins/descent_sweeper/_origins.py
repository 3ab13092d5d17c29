"""What the trials of a study were made from: other code is counted and named, other data is another study."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from descent import door, trials
from descent.errors import UsageError
from hydra_plugins.descent_sweeper._study import ENDED, OWNER

SHOWN = 12  # characters of a digest
Codes = Mapping[str, Mapping[str, str]]  # mark → file → digest


def mark_of(code: Mapping[str, str]) -> str:
    """By which a trial says with which code it was made."""
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:SHOWN]


def refuse_other_data(earlier: Mapping[str, Any], data: str, name: str) -> None:
    """Trials on other data cannot be compared with those that are there."""
    if (before := earlier.get("data", data)) != data:
        change = f"study: got {name}, which has other data: digest {before[:SHOWN]} → {data[:SHOWN]}"
        raise UsageError(door.shortened(change, "; choose another name"))


def kept(earlier: Mapping[str, Any], origin: trials.Origin) -> dict[str, Any]:
    """What a study's plan says of it, with all the codes that its trials have been made with."""
    return {"data": origin.data, "codes": {**earlier.get("codes", {}), mark_of(origin.code): origin.code}}


def notes(known: Sequence[FrozenTrial], codes: Codes, now: str) -> list[str]:
    """The trials that other code has made, a line for each code."""
    made = defaultdict(list)
    for trial in known:
        if trial.state in ENDED:
            made[(trial.user_attrs.get(OWNER) or {}).get("code", now)].append(trial.number)
    return [_note(numbers, codes.get(mark, {}), codes[now]) for mark, numbers in sorted(made.items()) if mark != now]


def _note(numbers: Sequence[int], then: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = sorted({Path(file).name for file in {**then, **now} if then.get(file) != now.get(file)})
    count = f"{len(numbers)} trial{'s were' if len(numbers) > 1 else ' was'} made with other code"
    return door.shortened(f"note: {count} ({', '.join(changed)})", f": #{_ranges(numbers)}")


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3,7` of sorted numbers, the beginning of many."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    said = ",".join("-".join(map(str, run)) for run in runs)
    return said if len(said) <= 60 else f"{said[:59]}…"
