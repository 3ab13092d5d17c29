"""`python src/compare.py by=…`: this is the table of contents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent import rules
from descent.comparison import telling
from descent.comparison.grouping import Group, grouped
from descent.comparison.ranking import chances_of_first
from descent.comparison.selecting import TAGS, filtered, leaves, of_names, of_study, refuse_unknown, value_of
from descent.comparison.spread import Spread, spread
from descent.comparison.target import Reached, reached, rows_of_table
from descent.comparison.verdicts import Verdict, leading, verdicts
from descent.config import project_root
from descent.errors import UsageError
from descent.tracking.destination import Destination, resolved
from descent.tracking.reading import Archive, Stored, can_be_asked
from descent.vocabulary import METRICS, Direction

AUTO = "auto"
LESS = ("gap/", "time/seconds", "time/milliseconds", "memory/", "model/")
EXPERIMENT, ADDRESS = "tracking.experiment", "tracking.uri"


@dataclass(frozen=True)
class Comparison:
    """Everything that is told of it."""

    by: tuple[str, ...]
    metric: str
    direction: Direction
    groups: list[Group]
    spreads: dict[str, Spread]
    chances: dict[str, float]  # of being first
    verdicts: list[Verdict]
    left_out: dict[str, int]
    notes: list[str]
    reached: Reached | None = None  # where a target was asked for

    @property
    def title(self) -> str:
        better = "larger" if self.direction == "maximize" else "smaller"
        return f"{self.metric} by {','.join(self.by)} ({better} is better)"

    @property
    def answer(self) -> str:
        """In a sentence."""
        means = {name: one.summary.mean for name, one in self.spreads.items() if one.summary}
        if not means:
            return f"no group has a finite {self.metric}"
        best = (max if self.direction == "maximize" else min)(means, key=lambda name: means[name])
        return leading(self.verdicts, list(means), best)


def run(request: dict[str, Any]) -> None:
    """What the script does; `filters` of the request are the keys that it does not know."""
    by = tuple(key for key in request["by"].split(",") if key)
    _refuse_contradictions(request)
    archive = Archive(_destination(request))
    runs = selected(archive, request, by)
    if request["over"] is not None:
        from descent.comparison import workloads

        workloads.run(runs, by, archive, request)
        return
    metric = metric_of(request["metric"], runs, by)
    direction = direction_of(request["direction"], metric, runs)
    comparison = compare(runs, by, metric, direction, request["margin"])
    target = request["target"] if request["target"] is not None else request["baseline"]
    if target is not None:
        found = reached(comparison.groups, metric, direction, target, archive.history)
        comparison = replace(comparison, reached=found)
    show(Console(), comparison)
    if request["save"] is not None or request["report"]:
        from descent.comparison import reporting, saving

        saving.keep(reporting.told(comparison, archive.history, costs=request["costs"]), archive, request)


def _refuse_contradictions(request: Mapping[str, Any]) -> None:
    """Keys that mean nothing beside, or without, the others."""
    for key in ("by", "runs", "over"):
        if request[key] is not None and not request[key].replace(",", "").strip():
            raise rules.refuse(key, "nothing", "names with commas between", f"leave {key}= out, or name something")
    if request["save"] is not None and Path(request["save"]).is_file():
        raise rules.refuse("save", request["save"], "a folder", "this is a file")
    if request["report"] and request["study"] is None:
        raise rules.refuse("report", True, "nothing without study=…", "save=<folder> writes the page into a folder")
    if request["target"] is not None and request["baseline"] is not None:
        raise rules.refuse("baseline", request["baseline"], "nothing with target=…", "either gives the target")
    if request["over"] is None:
        return
    if request["target"] is None and request["baseline"] is None:
        raise rules.refuse(
            "over", request["over"], "with target=… or baseline=…", "baseline=<group> suits each workload"
        )
    if request["margin"] is not None:
        raise rules.refuse("margin", request["margin"], "nothing with over=…", "workloads are ranked by time to target")
    both = [key for key in request["over"].split(",") if key in request["by"].split(",")]
    if both:
        raise rules.refuse("over", both[0], "other keys than by=…", "by names groups, over names workloads")


def selected(archive: Archive, request: Mapping[str, Any], by: Sequence[str]) -> list[Stored]:
    """The leaf runs that are meant; where there are none, a line says what there is instead."""
    filters: dict[str, str] = request["filters"]
    own = [key for key in request if key != "filters"]
    plain = {key: text for key, text in filters.items() if not key.startswith(TAGS) and can_be_asked(text)}
    in_tree = request["study"] is not None or request["runs"] is not None
    asked = plain if not in_tree and all(key.replace(".", "").isidentifier() for key in plain) else {}
    every = list(archive.runs(asked))
    if asked and not _any(every, filters):
        every = list(archive.runs())  # to say what is there
    if request["study"] is not None:
        every = of_study(every, request["study"])
    if request["runs"] is not None:
        every = of_names(every, [name.strip() for name in request["runs"].split(",") if name.strip()])
    found = leaves(every)
    if not found:
        raise UsageError(f"runs: no run that trained a network is among {len(every)} in {archive.shown}")
    found = filtered(found, filters, own)
    for key in by:
        refuse_unknown(key, found, under="by")
    return found


def _any(runs: Sequence[Stored], filters: Mapping[str, str]) -> bool:
    try:
        return bool(filtered(leaves(runs), filters))
    except UsageError:
        return False


def compare(
    runs: Sequence[Stored], by: Sequence[str], metric: str, direction: Direction, margin: float | None = None
) -> Comparison:
    """Of leaf runs, the newest first."""
    found = grouped(runs, by, metric)
    values = {group.name: group.values(metric) for group in found.groups}
    return Comparison(
        by=tuple(by),
        metric=metric,
        direction=direction,
        groups=found.groups,
        spreads={name: spread(list(one.values()), direction) for name, one in values.items()},
        chances=chances_of_first({name: list(one.values()) for name, one in values.items()}, direction),
        verdicts=verdicts(values, direction, margin),
        left_out=found.left_out,
        notes=found.notes,
    )


def show(console: Console, comparison: Comparison) -> None:
    """On a terminal."""
    print(comparison.title)
    for part in telling.parts(telling.rows(comparison), console.width):
        console.print(drawn(part))
    if comparison.reached:
        console.print(drawn(rows_of_table(comparison.reached)))
    for line in telling.sentences(comparison):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def drawn(rows: Sequence[Sequence[str]]) -> Table:
    """A table of a terminal, the first row its heading."""
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(rows[0]):
        table.add_column(escape(name), justify="right" if number else "left", overflow="fold", no_wrap=number > 0)
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    return table


def _destination(request: Mapping[str, Any]) -> Destination:
    return resolved(Destination("local", request[ADDRESS], request[EXPERIMENT], project_root()))


def metric_of(given: str, runs: Sequence[Stored], by: Sequence[str]) -> str:
    """What was asked for; else of the objective what the test split says, or validation where too few have read that.

    Of a search the best alone is tested: two groups, or most of the runs, must be for the test split to say anything.
    """
    if given != AUTO:
        return given
    objective = next((run.params["objective"] for run in runs if "objective" in run.params), "val/accuracy")
    test = f"test/{objective.partition('/')[2]}"
    tested = [run for run in runs if test in run.metrics]
    groups = {tuple(value_of(run, key) for key in by) for run in tested}
    return test if len(groups) > 1 or 2 * len(tested) > len(runs) else f"best/{objective}"


def direction_of(given: str, metric: str, runs: Sequence[Stored]) -> Direction:
    if given != AUTO:
        return "minimize" if given == "minimize" else "maximize"
    if metric.startswith(LESS):
        return "minimize"
    if metric == "time/samples_per_second":
        return "maximize"
    for names in METRICS.values():
        if (known := names.get(metric.rpartition("/")[2])) is not None:
            return known
    if not any(metric in run.metrics for run in runs):
        return "maximize"  # refused where the runs are looked at
    raise rules.refuse("direction", AUTO, "minimize | maximize", f"nothing says which is better of {metric}")
