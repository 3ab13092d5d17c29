"""A comparison as one page, and its charts as pictures beside it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from descent.comparison import target, telling
from descent.comparison.grouping import Group
from descent.comparison.saving import Told
from descent.comparison.verdicts import in_words
from descent.pages import groups
from descent.pages.chart import Chart
from descent.pages.groups import Curve
from descent.pages.page import Command, Facts, Page, Part, Section, Table
from descent.tracking.reading import Stored

if TYPE_CHECKING:
    from descent.comparison.comparing import Comparison

MOST_CURVES = 40  # read of a group
MOST_RUNS = 200  # listed
MOST_PAIRS = 40  # drawn
DRAWN = ("epochs", "multiply-adds")  # ways to a target; the table has all
SHOWN = 8  # of a commit

Curves = Mapping[str, Sequence[Curve]]


def read_curves(comparison: "Comparison", history: target.History) -> dict[str, list[Curve]]:
    """Of each group's runs, the newest first: the metric of every epoch that stands for the one compared."""
    name = target.curve_of(comparison.metric)
    return {
        group.name: [history(run.id, name) for run in islice(group.runs.values(), MOST_CURVES)]
        for group in comparison.groups
    }


def told(comparison: "Comparison", history: target.History, *, costs: bool) -> Told:
    """All that is kept of it; this reads the runs' curves."""
    charts = charts_of(comparison, read_curves(comparison, history))
    return Told(
        telling.markdown(comparison, costs=costs),
        telling.document(comparison, costs=costs),
        charts,
        lambda command: page_of(comparison, charts, command),
        question(comparison),
        _sentence(comparison.answer),
    )


def question(comparison: "Comparison") -> str:
    """What the comparison answers."""
    size = "larger" if comparison.direction == "maximize" else "smaller"
    names = [group.name for group in comparison.groups]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"Which of {shown} has the {size} {comparison.metric}, and how sure is that?"


def charts_of(comparison: "Comparison", curves: Curves) -> dict[str, Chart]:
    """By the name of their file; none of which nothing can be said."""
    curve, reached = target.curve_of(comparison.metric), comparison.reached
    found = {
        "distributions": _distributions(comparison),
        "differences": _differences(comparison),
        "chances": groups.chances(comparison.chances),
        "curves": groups.curves(curves, curve, reached.target if reached else None),
        **dict(_ways(reached) if reached else ()),
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def page_of(comparison: "Comparison", charts: Mapping[str, Chart], command: str) -> Page:
    """The whole page."""
    sections = [
        Section("What was asked", [question(comparison), _facts(comparison)]),
        Section("What was found", [table_of(telling.rows(comparison)), *_there(charts, "distributions")]),
        Section("How sure that is", [*_there(charts, "differences", "chances"), *map(_sentence, _pairs(comparison))]),
        Section("Learning curves", _there(charts, "curves")),
        Section("Time to the target", _target(comparison, charts)),
        Section("What to know", [_sentence(line) for line in telling.remarks(comparison)]),
        Section("The commands", ["This comparison:", Command(command), *_runs(comparison.groups)]),
    ]
    return Page(comparison.title, _sentence(comparison.answer), [one for one in sections if one.parts])


def table_of(rows: Sequence[Sequence[str]]) -> Table:
    """All but the first column are numbers."""
    return Table(rows[0], rows[1:], frozenset(range(1, len(rows[0]))))


def _sentence(text: str) -> str:
    return f"{text}."


def _there(charts: Mapping[str, Chart], *names: str) -> list[Part]:
    return [charts[name] for name in names if name in charts]


def _facts(comparison: "Comparison") -> Facts:
    runs = [run for group in comparison.groups for run in group.runs.values()]
    pairs = [("groups", str(len(comparison.groups))), ("runs", str(len(runs))), ("metric", comparison.metric)]
    for key in ("dataset", "model", "optimizer", "epochs"):
        values = {run.params.get(key) for run in runs}
        if key not in comparison.by and len(values) == 1 and (value := values.pop()) is not None:
            pairs.append((key, value))
    return Facts(pairs)


def _distributions(comparison: "Comparison") -> Chart:
    values = {
        group.name: {f"{run.name} {run.id}": run.metrics[comparison.metric] for run in group.runs.values()}
        for group in comparison.groups
    }
    means = {}
    for name, found in comparison.spreads.items():
        if (one := found.summary) is not None:
            means[name] = one.mean, None if one.low is None or one.high is None else (one.low, one.high)
    return groups.distributions(values, means, comparison.metric)


def _differences(comparison: "Comparison") -> Chart | None:
    pairs = {}
    for verdict in comparison.verdicts[:MOST_PAIRS]:
        one = verdict.contrast
        if one.difference is not None and one.low is not None and one.high is not None:
            name = f"{verdict.first} − {verdict.second}"
            pairs[name] = one.difference, (one.low, one.high), verdict.can_be_said
    return groups.differences(pairs, comparison.metric)


def _pairs(comparison: "Comparison") -> list[str]:
    more = len(comparison.verdicts) - MOST_PAIRS
    told = [in_words(one) for one in comparison.verdicts[:MOST_PAIRS]]
    return told + ([f"{more} more pairs stand in comparison.json"] if more > 0 else [])


def _ways(reached: target.Reached) -> Iterator[tuple[str, Chart | None]]:
    told = f"{reached.curve} {reached.target:.4g}"
    for unit in DRAWN:
        place = target.UNITS.index(unit)
        costs = {name: [row[place] for row in rows] for name, rows in reached.costs.items()}
        yield f"target-{unit}", groups.reaching(costs, unit, told)


def _target(comparison: "Comparison", charts: Mapping[str, Chart]) -> list[Part]:
    if comparison.reached is None:
        return []
    words = [_sentence(line) for line in target.in_words(comparison.reached)]
    drawn = _there(charts, *(f"target-{unit}" for unit in DRAWN))
    return [table_of(target.rows_of_table(comparison.reached)), *drawn, *words]


def _runs(shown: Sequence[Group]) -> list[Part]:
    """Where each number comes from."""
    every = [(group.name, run) for group in shown for run in group.runs.values()]
    rows = [[name, run.name, run.id[:SHOWN], _commit(run), run.tags.get("command", "")] for name, run in every]
    left = len(rows) - MOST_RUNS
    more = f"The first {MOST_RUNS} runs; {left} more are not listed." if left > 0 else "The runs that count:"
    return [more, Table(["group", "run", "id", "commit", "command"], rows[:MOST_RUNS])]


def _commit(run: Stored) -> str:
    commit = run.tags.get("git_commit", "")[:SHOWN]
    return f"{commit} and changes" if commit and run.tags.get("git_dirty") == "true" else commit
