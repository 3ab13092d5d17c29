"""Which of the stored runs a request means, and one line about what is there instead where it means none."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from descent import rules
from descent.errors import DataError, UsageError
from descent.outputs import DIGITS, trainings_in
from descent.tracking.reading import Stored

TAGS = "tags."
SHORTEST_PREFIX = 8
PARENTS = ("parent", "study")
SHOWN = 6
DEEPEST = 3  # a study's trials, and their repeats
NOTHING = "none"
UNFINISHED = {"RUNNING": "still running", "SCHEDULED": "not begun", "FAILED": "failed", "KILLED": "killed"}


def value_of(run: Stored, key: str) -> str | None:
    """Of a setting, of a group's choice, or of a tag as `tags.<name>`; None where the run has no such thing."""
    if key.startswith(TAGS):
        return run.tags.get(key.removeprefix(TAGS))
    return run.params.get(key)


def leaves(runs: Sequence[Stored]) -> list[Stored]:
    """Those that trained a network; not the ones that only tell others together."""
    parents = {run.parent for run in runs}
    return [run for run in runs if run.id not in parents and run.tags.get("role") not in PARENTS]


def of_study(runs: Sequence[Stored], study: str) -> list[Stored]:
    """What is below the study's run in the tree; it is meant by its name or its id."""
    return _below(runs, studies_named(runs, study))


def studies_named(runs: Sequence[Stored], study: str) -> list[Stored]:
    """The runs of studies with this name or id, the newest first."""
    studies = [run for run in runs if run.tags.get("role") == "study"]
    meant = [run for run in studies if _is_meant(run, study)]
    if not meant:
        names = list(dict.fromkeys(run.name for run in studies))
        raise rules.refuse("study", study, _listed(names) or "nothing: there is no study yet", rules.near(study, names))
    return meant


def of_names(runs: Sequence[Stored], names: Sequence[str]) -> list[Stored]:
    """The runs with these ids or names, with all that is below them; of a folder of a sweep its trainings."""
    found = []
    for name in names:
        if (digests := trainings_in(Path(name))) is not None:
            found += _of_sweep(runs, name, digests)
            continue
        meant = [run for run in runs if _is_meant(run, name)] or _made_in(runs, Path(name).absolute())
        if not meant:
            newest = [f"{run.id[:SHORTEST_PREFIX]} {rules.cut(run.name, 12)}" for run in runs[:3]]
            hint = rules.near(name, [run.name for run in runs]) or f"the newest: {', '.join(newest)}"
            raise rules.refuse("runs", name, "ids (8 characters are enough) or names", hint)
        found += meant
    inside = {run.id for run in (*found, *_below(runs, found))}
    return [run for run in runs if run.id in inside]


def _made_in(runs: Sequence[Stored], folder: Path) -> list[Stored]:
    """Those whose own directories lie in it."""
    return [run for run in runs if folder in Path(run.tags.get("run_directory", "")).parents] if folder.is_dir() else []


def _of_sweep(runs: Sequence[Stored], name: str, digests: Sequence[str]) -> list[Stored]:
    """By what they were made from and came to; it does not matter when and where, nor how often."""
    made = {run.tags.get("training_sha256", "")[:DIGITS]: run for run in runs if run.status == "FINISHED"}
    missing = {*digests} - {*made}
    if missing or not digests:
        told = f"{len(missing)} of its {len({*digests})} trainings are not in this store" if digests else "it has none"
        hint = "make sync ships what waits, dvc repro -f sweep trains them"
        raise DataError(rules.cut(f"runs: {rules.cut(name, 60)} keeps a sweep, but {told}; {hint}", rules.LONGEST_LINE))
    return [made[digest] for digest in dict.fromkeys(digests)]


def filtered(runs: Sequence[Stored], wanted: Mapping[str, str], own: Iterable[str] = ()) -> list[Stored]:
    """Those that have every wanted value (`a,b` is either); `own` are the request's other keys, to be misspelt."""
    for key, text in wanted.items():
        refuse_unknown(key, runs, own)
        if not any(_has(run, key, text) for run in runs):
            there = _values(runs, key)
            raise rules.refuse(key, text, _listed(there), _near(text, there) or "that is what the runs have")
    found = [run for run in runs if all(_has(run, key, text) for key, text in wanted.items())]
    if runs and not found:
        told = " ".join(f"{key}={text}" for key, text in wanted.items())
        last = list(wanted)[-1]
        others = {key: text for key, text in wanted.items() if key != last}
        there = _values([run for run in runs if all(_has(run, *one) for one in others.items())], last)
        hint = f"without the last there is {last}={_listed(there)}" if there else "give fewer"
        raise UsageError(rules.cut(f"{told}: no run has all of it; {hint}", rules.LONGEST_LINE))
    return found


def refuse_unknown(key: str, runs: Sequence[Stored], own: Iterable[str] = (), under: str = "") -> None:
    """A key that no run has is a misspelt one; it was given as such, or as the value of the key `under`."""
    if any(value_of(run, key) is not None for run in runs):
        return
    keys = dict.fromkeys(key for run in runs for key in (*run.params, *(f"{TAGS}{tag}" for tag in run.tags)))
    hint = rules.near(key, [*own, *keys]) or "a setting such as lr, a group such as optimizer, or tags.<name>"
    line = f"{under}: got {key}, no run has that; {hint}" if under else f"{key}: no run has that; {hint}"
    raise UsageError(rules.cut(line, rules.LONGEST_LINE))


def unfinished(run: Stored) -> str | None:
    """Why it has no result; None where it has one."""
    if run.status != "FINISHED":
        return UNFINISHED.get(run.status, run.status.lower())
    return "pruned" if run.tags.get("trial_state") == "PRUNED" else None


def _near(text: str, there: Sequence[str]) -> str:
    """No number is a misspelt one."""
    return "" if any(one.isdigit() for one in text) else rules.near(text, there)


def _has(run: Stored, key: str, text: str) -> bool:
    value = value_of(run, key)
    return value is not None and any(_same(value, one) for one in (text, *_alternatives(text)))


def _alternatives(text: str) -> list[str]:
    """A comma is between values, but not inside the brackets of one."""
    return text.split(",") if not text.startswith("[") else []


def _same(stored: str, given: str) -> bool:
    if stored.lower() == given.lower() or stored.replace(" ", "") == given.replace(" ", ""):
        return True
    if (stored, given) == ("None", "null"):
        return True
    try:
        return float(stored) == float(given)
    except ValueError:
        return False


def _values(runs: Sequence[Stored], key: str) -> list[str]:
    """The most frequent first."""
    values = (value_of(run, key) for run in runs)
    return [value for value, _ in Counter(value for value in values if value).most_common()]


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return " | ".join(values[:SHOWN]) + more


def _is_meant(run: Stored, text: str) -> bool:
    ids = (run.id, run.tags.get("local_id", ""))
    return run.name == text or (len(text) >= SHORTEST_PREFIX and any(one.startswith(text) for one in ids))


def _below(runs: Sequence[Stored], ancestors: Sequence[Stored]) -> list[Stored]:
    inside = {run.id for run in ancestors}
    for _ in range(DEEPEST):
        inside |= {run.id for run in runs if run.parent in inside}
    return [run for run in runs if run.parent in inside]
