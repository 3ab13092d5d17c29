"""Runs that may be compared, in groups: same data, split, metric and budget; and what else differs between them."""

import functools
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from descent import rules
from descent.comparison.selecting import NOTHING, unfinished, value_of
from descent.errors import DataError
from descent.identity import FREE
from descent.tracking.reading import Stored

DIGEST = "tags.dataset_sha256"
# What must be the same, in a person's words → where it stands.
CONDITIONS = {
    "data": ("dataset", DIGEST),
    "split": (
        "dataset.val_fraction",
        "dataset.test_fraction",
        "dataset.split_seed",
        "dataset.val_split",
        "folds",
    ),
    "budget": ("epochs", "dataset.fraction"),
}
OF_LOSSES = {"loss": ("loss",)}
UNSAID = {"folds": "1", "dataset.fraction": "1.0"}  # of runs from before there was such a knob
UNITS = ("seed", "fold")  # what a run of one group may share with one of another
# Settings by which runs are not told apart: they change no result, or follow others.
PASSED_OVER = (*FREE, *UNITS, "loader", "trainer", "threads", "device", "determinism", "experiment", "dry_run")


@dataclass
class Group:
    """Its runs that count, by what they share with those of other groups; `failed` counts those without a result."""

    name: str
    runs: dict[Hashable, Stored] = field(default_factory=dict)
    failed: int = 0

    def values(self, metric: str) -> dict[Hashable, float]:
        return {unit: run.metrics[metric] for unit, run in self.runs.items()}


@dataclass(frozen=True)
class Grouped:
    """The groups, the reasons for which runs were left out with how many, and what a reader has to know."""

    groups: list[Group]
    left_out: dict[str, int]
    notes: list[str]


def grouped(runs: Sequence[Stored], by: Sequence[str], metric: str) -> Grouped:
    """Of leaf runs, the newest first. DataError in one line where there are no two groups to compare."""
    left_out: Counter[str] = Counter()
    known = [run for run in runs if all(value_of(run, key) is not None for key in by)]
    if len(known) < len(runs):
        left_out[f"no {' or '.join(by)}"] = len(runs) - len(known)
    done = [run for run in known if not unfinished(run) and metric in run.metrics]
    _refuse_nothing(known, done, metric)
    chosen, reasons = _contest(done, by, metric)
    left_out.update(reasons)
    left_out.update(reason for run in known if (reason := unfinished(run) or _without(run, metric)))
    groups = {name: Group(name) for run in chosen for name in (_name(run, by),)}
    for run in known:
        if unfinished(run) in ("failed", "killed") and _name(run, by) in groups:
            groups[_name(run, by)].failed += 1
    kept = _once(chosen, by)
    if len(kept) < len(chosen):
        left_out["the same to the bit as one that counts"] = len(chosen) - len(kept)
    inside, between = _what_else(kept, by)
    counts: Counter[Hashable] = Counter()
    for run in kept:
        name, unit = _name(run, by), tuple(run.params.get(key, NOTHING) for key in (*UNITS, *inside))
        groups[name].runs[(*unit, counts[name, unit])] = run
        counts[name, unit] += 1
    return Grouped(_ordered(list(groups.values())), dict(left_out), _notes(kept, by, inside, between))


def _without(run: Stored, metric: str) -> str | None:
    return None if metric in run.metrics else f"no {metric}"


def _refuse_nothing(known: Sequence[Stored], done: Sequence[Stored], metric: str) -> None:
    if done:
        return
    finished = [run for run in known if not unfinished(run)]
    if not finished:
        counts = Counter(unfinished(run) for run in known)
        told = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        raise DataError(rules.cut(f"runs: none of {len(known)} has a result: {told}", rules.LONGEST_LINE))
    names = list(dict.fromkeys(name for run in finished for name in sorted(run.metrics)))
    hint = rules.near(metric, names)
    raise rules.refuse("metric", metric, "what the runs have: " + " | ".join(names[:8]), hint or "they have others too")


def _contest(done: Sequence[Stored], by: Sequence[str], metric: str) -> tuple[list[Stored], Counter[str]]:
    """The comparable runs that say the most: the most groups, then the most runs, then the newest; and the others."""
    contests: dict[tuple[str, ...], list[Stored]] = {}
    for run in done:
        contests.setdefault(tuple(_conditions(run, by, metric).values()), []).append(run)
    best = max(contests, key=lambda one: (len({_name(run, by) for run in contests[one]}), len(contests[one])))
    chosen = contests.pop(best)
    _refuse_lonely(done, chosen, contests, by, metric)
    mine, reasons = _conditions(chosen[0], by, metric), Counter[str]()
    for others in contests.values():
        theirs = _conditions(others[0], by, metric)
        reasons["; ".join(_differences(mine, theirs))] += len(others)
    return chosen, reasons


def _refuse_lonely(
    done: Sequence[Stored],
    chosen: Sequence[Stored],
    others: Mapping[tuple[str, ...], list[Stored]],
    by: Sequence[str],
    metric: str,
) -> None:
    if len({_name(run, by) for run in chosen}) > 1:
        return
    names = Counter(_name(run, by) for run in done)
    if len(names) == 1:
        inside, _ = _what_else(done, ())
        hint = f"{', '.join([*inside][:3])} differ" if inside else "nothing else differs either"
        line = f"by: got {','.join(by)}, but all {len(done)} runs have {next(iter(names))}; {hint}"
    else:
        mine = _conditions(chosen[0], by, metric)
        other = next(runs for runs in others.values() if {_name(run, by) for run in runs} != {_name(chosen[0], by)})
        what = "; ".join(_differences(mine, _conditions(other[0], by, metric)))
        told = ", ".join(f"{name} ({count})" for name, count in names.most_common(4))
        line = f"by: {told} are not comparable: {what}"
    raise DataError(rules.cut(line, rules.LONGEST_LINE))


def _conditions(run: Stored, by: Sequence[str], metric: str) -> dict[str, str]:
    """Key → value of all that must be the same, but for what is compared."""
    conditions = {**CONDITIONS, **(OF_LOSSES if metric.endswith("loss") else {})}
    keys = [key for keys in conditions.values() for key in keys if key not in by]
    if any(key.startswith("dataset.") for key in by):
        keys.remove(DIGEST)  # a knob of the data makes other data
    return {key: value_of(run, key) or UNSAID.get(key, NOTHING) for key in keys}


def _differences(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    keys = [key for key in mine if mine[key] != theirs[key]]
    if "dataset" in keys and DIGEST in keys:
        keys.remove(DIGEST)
    names = {key: "data" if key == DIGEST else key for key in keys}
    return [f"{names[key]} {rules.cut(theirs[key], 10)}, not {rules.cut(mine[key], 10)}" for key in keys]


def _name(run: Stored, by: Sequence[str]) -> str:
    return " ".join(str(value_of(run, key)) for key in by)


def _once(runs: Sequence[Stored], by: Sequence[str]) -> list[Stored]:
    """A command that was given twice came to the same bits twice: that is one measurement."""
    seen: dict[object, Stored] = {}
    for run in runs:
        weights = run.tags.get("weights_sha256")
        settings = frozenset(one for one in run.params.items() if not _is_passed_over(one[0]))
        units = tuple(run.params.get(key) for key in UNITS)
        seen.setdefault((weights, _name(run, by), settings, units) if weights else run.id, run)
    return list(seen.values())


def _what_else(runs: Sequence[Stored], by: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The settings that vary inside a group, and those that only differ between groups, with their values."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    varying = {key for key in keys if len({run.params.get(key) for run in runs}) > 1 and not _is_passed_over(key)}
    varying -= {key for key in keys if any(key == one or key.startswith(f"{one}.") for one in by)}
    varying = {key for key in varying if not _follows(key, varying, runs)}
    per_group: dict[str, dict[str, set[str]]] = {key: {} for key in keys if key in varying}
    for run in runs:
        for key, groups in per_group.items():
            groups.setdefault(_name(run, by), set()).add(run.params.get(key, NOTHING))
    inside: dict[str, list[str]] = {}
    between: dict[str, list[str]] = {}
    for key, groups in per_group.items():
        values = sorted(set().union(*groups.values()))
        target = inside if any(len(one) > 1 for one in groups.values()) else between
        target[key] = values
    return inside, between


def _follows(key: str, varying: set[str], runs: Sequence[Stored]) -> bool:
    """A choice brings its own settings; and `optimizer.lr` is `lr` once more."""
    node, _, last = key.rpartition(".")
    while node:
        if node in varying:
            return True
        node = node.rpartition(".")[0]
    return "." in key and last in varying and all(run.params.get(key) in (None, run.params.get(last)) for run in runs)


@functools.cache
def _is_passed_over(key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in PASSED_OVER)


def _notes(
    runs: Sequence[Stored], by: Sequence[str], inside: Mapping[str, list[str]], between: Mapping[str, list[str]]
) -> list[str]:
    notes = []
    if inside:
        told = ", ".join(f"{key} ({rules.cut(', '.join(values), 40)})" for key, values in inside.items())
        notes.append(f"inside groups {told} varies too: that is part of their spread")
    if between:
        told = ", ".join(f"{key} ({rules.cut(', '.join(values), 40)})" for key, values in between.items())
        notes.append(f"besides {','.join(by)} the groups differ in {told}")
    return [rules.cut(note, 300) for note in notes]


def _ordered(groups: list[Group]) -> list[Group]:
    """By number where the names are numbers, else by name."""

    def key(group: Group) -> tuple[float, str]:
        try:
            return float(group.name), group.name
        except ValueError:
            return math.inf, group.name

    return sorted(groups, key=key)
