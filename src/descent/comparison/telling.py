"""A comparison for people and for other programs: one table, its verdicts in words, what was left out and why."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from descent.comparison import target
from descent.comparison.grouping import Group
from descent.comparison.spread import Spread
from descent.comparison.verdicts import in_words
from descent.tracking.describing import plain

if TYPE_CHECKING:
    from descent.comparison.comparing import Comparison

COLUMNS = ("n", "mean", "95% interval", "resampled", "deviation", "median", "best", "first", "ms/step", "MB", "failed")
COSTS = ("ms/step", "MB", "seconds")
STEP, MEMORY = "time/milliseconds_per_step", "memory/peak_megabytes"
PADDING = 3  # of a column, in a terminal


def rows(comparison: "Comparison") -> list[list[str]]:
    """A row of text for each group; columns that no group fills are left out."""
    table = [[group.name, *_cells(comparison, group)] for group in comparison.groups]
    filled = [n for n, _ in enumerate(("", *COLUMNS)) if n < 3 or any(row[n] for row in table)]
    heading = [",".join(comparison.by), *COLUMNS]
    return [[row[n] for n in filled] for row in (heading, *table)]


def parts(rows: Sequence[Sequence[str]], width: int) -> list[list[list[str]]]:
    """The table below itself, where all of its columns are too wide for a line; each part begins with the names."""
    widths = [max(len(row[column]) for row in rows) + PADDING for column in range(len(rows[0]))]
    found, used = [[0]], widths[0]
    for column in range(1, len(widths)):
        if used + widths[column] > width - PADDING and len(found[-1]) > 1:
            found.append([0])
            used = widths[0]
        found[-1].append(column)
        used += widths[column]
    return [[[row[column] for column in columns] for row in rows] for columns in found]


def _cells(comparison: "Comparison", group: Group) -> list[str]:
    found = comparison.spreads[group.name]
    first = comparison.chances.get(group.name)
    step, memory = (_median(group, metric) for metric in (STEP, MEMORY))
    missing = group.failed + found.missing
    return [
        str(found.n),
        *_figures(found),
        "" if first is None else f"{100 * first:.0f}%",
        "" if step is None else f"{step:.3g}",
        "" if memory is None else f"{memory:.0f}",
        str(missing) if missing else "",
    ]


def _figures(found: Spread) -> list[str]:
    one = found.summary
    if one is None:
        return [""] * 6
    interval = "" if one.low is None else f"{_number(one.low)} to {_number(one.high)}"
    resampled = f"{_number(found.resampled[0])} to {_number(found.resampled[1])}" if found.resampled else ""
    return [_number(one.mean), interval, resampled, _number(one.std), _number(found.median), _number(found.best)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _median(group: Group, metric: str) -> float | None:
    values = [run.metrics[metric] for run in group.runs.values() if metric in run.metrics]
    return float(np.median(values)) if values else None


def sentences(comparison: "Comparison") -> list[str]:
    """The verdict first, then each pair, then what a reader has to know, and what was left out."""
    sooner = target.in_words(comparison.reached) if comparison.reached else []
    return [comparison.answer, *map(in_words, comparison.verdicts), *sooner, *remarks(comparison)]


def remarks(comparison: "Comparison") -> list[str]:
    """What a reader has to know, and what was left out."""
    left_out = [f"{count} left out: {reason}" for reason, count in comparison.left_out.items()]
    return [*comparison.notes, *left_out]


def markdown(comparison: "Comparison", *, costs: bool) -> str:
    """For a README; times and memory, which are never the same again, only where they are asked for."""
    tables = [rows(comparison), *([target.rows_of_table(comparison.reached)] if comparison.reached else [])]
    tables = tables if costs else [_without(table, COSTS) for table in tables]
    return markdown_of(comparison.title, tables, sentences(comparison))


def markdown_of(title: str, tables: Sequence[Sequence[Sequence[str]]], lines: Sequence[str]) -> str:
    """Tables of text between a title and lines about them."""
    table = "\n\n".join(map(_markdown_table, tables))
    words = "\n".join(f"- {plain(line)}" for line in lines)
    return f"**{plain(title)}**\n\n{table}\n\n{words}\n"


def _without(table: Sequence[Sequence[str]], names: Sequence[str]) -> list[list[str]]:
    left = [number for number, name in enumerate(table[0]) if number == 0 or name not in names]
    return [[row[number] for number in left] for row in table]


def _markdown_table(table: Sequence[Sequence[str]]) -> str:
    heading, *body = ([plain(cell) for cell in row] for row in table)
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def document(comparison: "Comparison", *, costs: bool) -> dict[str, Any]:
    """The figures that the same commands come to again; times, memory and runs' ids only where they are asked for."""
    return {
        "metric": comparison.metric,
        "direction": comparison.direction,
        "by": list(comparison.by),
        "answer": comparison.answer,
        "groups": {group.name: _group(comparison, group, costs=costs) for group in comparison.groups},
        "pairs": [
            {
                "first": one.first,
                "second": one.second,
                **{key: value for key, value in asdict(one.contrast).items() if key != "deviations"},
                "p_holm": one.p,
                "ahead": one.ahead,
                "more_runs": one.more,
                "alike": one.alike,
            }
            for one in comparison.verdicts
        ],
        **({"target": _target(comparison.reached, costs=costs)} if comparison.reached else {}),
        "left_out": comparison.left_out,
        "notes": comparison.notes,
    }


def _target(found: target.Reached, *, costs: bool) -> dict[str, Any]:
    """JSON knows no infinity: what was never reached is null."""
    units = [unit for unit in target.UNITS if costs or unit != "seconds"]
    groups = {}
    for name in found.costs:
        came, of = found.share(name)
        medians = dict(zip(target.UNITS, found.medians(name), strict=True))
        told = {unit: medians[unit] if math.isfinite(medians[unit]) else None for unit in units}
        groups[name] = {"reached": came, "of": of, **told}
    pairs = [{"first": first, "second": second, "p_holm": p} for first, second, p in found.pairs]
    return {"curve": found.curve, "value": found.target, "groups": groups, "pairs": pairs}


def _group(comparison: "Comparison", group: Group, *, costs: bool) -> dict[str, Any]:
    found = comparison.spreads[group.name]
    told: dict[str, Any] = {"n": found.n, "missing": found.missing, "failed": group.failed}
    if found.summary:
        told |= {key: value for key, value in asdict(found.summary).items() if key != "n"}
        told |= {"median": found.median, "best": found.best, "resampled": found.resampled}
    told["first"] = comparison.chances.get(group.name)
    if costs:
        told |= {"milliseconds_per_step": _median(group, STEP), "peak_megabytes": _median(group, MEMORY)}
        told["runs"] = [run.id for run in group.runs.values()]
    return told
