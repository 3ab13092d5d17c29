"""Groups over several workloads: how soon each comes to a target on each of them, and who is the first how often."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from descent import rules
from descent.comparison import saving, target, telling
from descent.comparison.comparing import direction_of, drawn, metric_of
from descent.comparison.grouping import grouped
from descent.comparison.ranking import Costs, median, profile_bands, profiles, ranking
from descent.comparison.reporting import table_of
from descent.comparison.selecting import refuse_unknown, value_of
from descent.errors import DataError, UsageError
from descent.pages import groups
from descent.pages.chart import Chart
from descent.pages.page import Command, Page, Section
from descent.tracking.reading import Archive, Stored

SURE = 0.95
FACTORS = 60  # of a profile, between 1 and the largest
WITHIN = 2.0  # times the fewest: a column of the table
UNITS = ("epochs", "seconds", "multiply-adds")  # whose profiles are drawn
Rows = Sequence[tuple[float, ...]]


@dataclass
class Workloads:
    """`costs` are group → workload → a row for each run with a number for each of the units."""

    by: str
    over: str
    costs: dict[str, dict[str, Rows]] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)  # workload → its metric and value
    left_out: list[str] = field(default_factory=list)

    def of(self, unit: str) -> Costs:
        place = target.UNITS.index(unit)
        return {
            group: {workload: [row[place] for row in rows] for workload, rows in own.items()}
            for group, own in self.costs.items()
        }

    @property
    def title(self) -> str:
        return f"epochs to the target by {self.by} over {self.over}"

    @property
    def question(self) -> str:
        return f"Which {self.by} comes to the target soonest over {len(self.targets)} workloads, and how sure is that?"

    @property
    def answer(self) -> str:
        """In a sentence."""
        (name, (rank, chance)), *others = ranking(self.of("epochs")).items()
        told = f"mean rank {rank:.3g} of {len(others) + 1} over {len(self.targets)} workloads"
        if not np.isfinite([median(own) for own in self.of("epochs")[name].values()]).any():
            return "No group has come to the target on any workload"
        if math.isnan(chance):
            return f"{name} has the best {told}; not enough runs to say how sure that is"
        if chance >= SURE:
            return f"{name} is the first: {told}, first with probability {chance:.2g}"
        second = f"; {others[0][0]} has {others[0][1][0]:.3g}" if others else ""
        return f"{name} has the best {told}, but is the first only with probability {chance:.2g}{second}"


def run(runs: Sequence[Stored], by: Sequence[str], archive: Archive, request: Mapping[str, Any]) -> None:
    """What `over=…` does."""
    found = measured(runs, by, request, archive.history)
    print(found.title)
    console = Console()
    for part in telling.parts(rows(found), console.width):
        console.print(drawn(part))
    for line in (found.answer, *found.left_out):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if request["save"] is not None or request["report"]:
        saving.keep(told(found), archive, request)


def measured(
    runs: Sequence[Stored], by: Sequence[str], request: Mapping[str, Any], history: target.History
) -> Workloads:
    """Each workload is a comparison of its own, with its own metric, and its own target where a baseline gives it."""
    over = tuple(key for key in request["over"].split(",") if key)
    for key in over:
        refuse_unknown(key, runs, under="over")
    found = Workloads(",".join(by), ",".join(over))
    for name, own in sorted(_parted(runs, over).items()):
        try:
            _measure(found, name, own, by, request, history)
        except (DataError, UsageError) as error:
            found.left_out.append(rules.cut(f"{name} left out: {error}", rules.LONGEST_LINE))
    if not found.targets:
        raise DataError(found.left_out[0] if found.left_out else f"over: no run has {' and '.join(over)}")
    return found


def _measure(
    found: Workloads,
    name: str,
    runs: Sequence[Stored],
    by: Sequence[str],
    request: Mapping[str, Any],
    history: target.History,
) -> None:
    metric = metric_of(request["metric"], runs, by)
    direction = direction_of(request["direction"], metric, runs)
    wanted = request["target"] if request["target"] is not None else request["baseline"]
    reached = target.reached(grouped(runs, by, metric).groups, metric, direction, wanted, history)
    found.targets[name] = f"{reached.curve} {reached.target:.4g}"
    for group, costs in reached.costs.items():
        found.costs.setdefault(group, {})[name] = costs


def _parted(runs: Sequence[Stored], over: Sequence[str]) -> dict[str, list[Stored]]:
    parts: dict[str, list[Stored]] = {}
    for run in runs:
        values = [value_of(run, key) for key in over]
        if all(value is not None for value in values):
            parts.setdefault(" ".join(map(str, values)), []).append(run)
    return parts


def rows(found: Workloads) -> list[list[str]]:
    """A heading and a row of text for each group, the best first; a workload's column has the median of its epochs."""
    costs = found.of("epochs")
    shares = profiles(costs, [1.0, WITHIN])
    heading = [found.by, *found.targets, "the fewest on", f"within {WITHIN:g}×", "mean rank", "first"]
    table = [heading]
    for group, (rank, chance) in ranking(costs).items():
        medians = [_amount(costs[group].get(workload, ())) for workload in found.targets]
        shown = [f"{100 * share:.0f}%" for share in shares[group]]
        table.append([group, *medians, *shown, f"{rank:.3g}", "" if math.isnan(chance) else f"{100 * chance:.0f}%"])
    return table


def _amount(costs: Sequence[float]) -> str:
    if not costs:
        return ""
    middle = median(costs)
    return f"{middle:.4g}" if math.isfinite(middle) else "never"


def told(found: Workloads) -> saving.Told:
    """All that is kept of it."""
    charts = charts_of(found)
    lines = [found.answer, *found.left_out]
    return saving.Told(
        telling.markdown_of(found.title, [rows(found), _targets(found)], lines),
        _document(found),
        charts,
        lambda command: page_of(found, charts, command),
        found.question,
        f"{found.answer}.",
    )


def charts_of(found: Workloads) -> dict[str, Chart]:
    """Profiles by their unit, and the probabilities of being first."""
    charts = {f"profile-{unit}": chart for unit in UNITS if (chart := _profile(found, unit))}
    chances = {group: chance for group, (_, chance) in ranking(found.of("epochs")).items() if not math.isnan(chance)}
    first = groups.chances(chances)
    return {**charts, **({"chances": first} if first else {})}


def _profile(found: Workloads, unit: str) -> Chart | None:
    costs = found.of(unit)
    table = [median(own) for one in costs.values() for own in one.values()]
    if any(map(math.isnan, table)) or not any(map(math.isfinite, table)):
        return None  # not recorded, or nobody came there
    factors = np.geomspace(1, _furthest(costs), FACTORS).tolist()
    return groups.profile(factors, profiles(costs, factors), profile_bands(costs, factors), unit)


def _furthest(costs: Costs) -> float:
    """The largest of the finite ratios to the least; at least 2."""
    ratios = [WITHIN]
    for workload in {workload for own in costs.values() for workload in own}:
        middles = [median(own[workload]) for own in costs.values() if workload in own]
        finite = [one for one in middles if math.isfinite(one)]
        ratios += [max(finite) / min(finite)] if finite and min(finite) > 0 else []
    return 1.05 * max(ratios)


def page_of(found: Workloads, charts: Mapping[str, Chart], command: str) -> Page:
    """The whole page."""
    profiled = [chart for name, chart in charts.items() if name.startswith("profile")]
    sections = [
        Section("What was asked", [found.question]),
        Section("What was found", [table_of(rows(found)), *([charts["chances"]] if "chances" in charts else [])]),
        Section("How near each is to the first", profiled),
        Section("The workloads", [table_of(_targets(found)), *(f"{line}." for line in found.left_out)]),
        Section("The commands", ["This comparison:", Command(command)]),
    ]
    return Page(found.title, f"{found.answer}.", [one for one in sections if one.parts])


def _targets(found: Workloads) -> list[list[str]]:
    return [["workload", "target"], *([name, target] for name, target in found.targets.items())]


def _document(found: Workloads) -> dict[str, Any]:
    """JSON knows no infinity: what was never reached is null. Seconds are no figures that the same commands come to."""
    ranks = ranking(found.of("epochs"))
    return {
        "by": found.by,
        "over": found.over,
        "answer": found.answer,
        "targets": found.targets,
        "groups": {group: {"rank": ranks[group][0], "first": _known(ranks[group][1]), **dict(_medians(found, group))}
                   for group in ranks},
        "left_out": found.left_out,
    }  # fmt: skip


def _medians(found: Workloads, group: str) -> Iterator[tuple[str, dict[str, float | None]]]:
    for unit in target.UNITS:
        if unit != "seconds":
            yield unit, {name: _known(median(costs)) for name, costs in found.of(unit)[group].items()}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
