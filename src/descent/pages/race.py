"""A race's report: one page, its main charts as pictures beside it, its table in Markdown, and the next race."""

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from descent.comparison.summary import summarise
from descent.durable import write_durably
from descent.pages import groups
from descent.pages.chart import PALETTE, Axis, Band, Chart, Layer, Line, Points
from descent.pages.page import Command, Facts, Page, Part, Section, Table, written
from descent.pages.search import DOTS, PAGE, PICTURES
from descent.races import best_of, ranges, standing
from descent.races.race import Knob, Race, Try
from descent.tracking import describing
from descent.tracking.describing import plain

TABLE, NEXT = "table.md", "next"
LEADERS = 5  # stand out in charts with a line for each value


def write(race: Race, directory: Path) -> list[Path]:
    """The page, the folder of pictures, the table, and the folder in which the next race's space lies."""
    from descent.pages.pictures import picture

    page, table, folder = directory / PAGE, directory / TABLE, directory / PICTURES
    further = directory / NEXT / "space" / f"{NEXT}.yaml"
    for place in (folder, further.parent):
        place.mkdir(parents=True, exist_ok=True)
    write_durably(further, ranges.space_file(race, next_command(race, directory)).encode())
    write_durably(page, written(page_of(race, directory)).encode())
    write_durably(table, markdown(race).encode())
    for file in folder.glob("*.png"):
        file.unlink()
    for name, charts in pictured(race).items():
        picture(charts, race.name).savefig(folder / f"{name}.png", dpi=DOTS)
    return [page, table, folder, further]


def next_command(race: Race, directory: Path) -> str:
    """What begins the race that this one proposes, all else as it was."""
    words = [f"--config-dir={directory / NEXT}", f"space={NEXT}", *race.further]
    return shlex.join(["python", "src/train.py", "-m", *words])


def pictured(race: Race) -> dict[str, list[Chart]]:
    """The main charts, by the name of their file."""
    found: dict[str, Sequence[Chart | None]] = {
        "standing": [standing_chart(race)],
        "best_of": [best_of_chart(race, workload) for workload in race.workloads],
        "isolation": [chart for value in race.values for chart in isolation(race, value)[:1]],
        "profile": [profile_chart(race)],
        "chances": [groups.chances(standing.chances_of_first(race))],
    }
    kept = {name: [chart for chart in charts if chart is not None] for name, charts in found.items()}
    return {name: charts for name, charts in kept.items() if charts}


def page_of(race: Race, directory: Path) -> Page:
    """The whole page."""
    chances = groups.chances(standing.chances_of_first(race))
    further = next_command(race, directory)
    overall = [one for one in (standing_chart(race), chances, profile_chart(race)) if one is not None]
    sections = [
        Section("Over all workloads", [_facts(race), _table(overall_rows(race)), *overall], _how(race)),
        *(_of_workload(race, workload) for workload in race.workloads),
        Section("Objective against each knob", [chart for value in race.values for chart in isolation(race, value)],
                "One value's points on every workload; a star is a best one. Other knobs differ from point to point."),
        Section("What to mind", _warned(race)),
        *_failures(race),
        Section("Next", ["Ranges moved where a best was at an end, narrowed elsewhere:",
                         Command(further), Command(ranges.space_file(race, further))]),
        Section("The command", ["It goes on with the race, or shows that it is finished:", Command(race.command)]),
    ]  # fmt: skip
    return Page(f"Race {race.name}", verdict(race), sections)


def verdict(race: Race) -> str:
    """One sentence."""
    if not any(race.came_to(workload, value) for workload in race.workloads for value in race.values):
        return f"No repeats yet, which alone say who is first: {len(race.tries)} trainings have ended."
    ranks, chances = standing.mean_ranks(race), standing.chances_of_first(race)
    first = min(ranks, key=lambda value: ranks[value])
    count = "1 workload" if len(race.workloads) == 1 else f"{len(race.workloads)} workloads"
    said = f"{first} has the best mean rank of {len(race.values)} over {count}: {ranks[first]:.3g}"
    if not chances:
        return f"{said}; too few repeats, or equal ones, say nothing of how sure that is."
    likely = max(chances, key=lambda value: chances[value])
    sure = f"with a probability of {chances.get(first, 0.0):.2f} it is first"
    also = f", {likely} with {chances[likely]:.2f}" if likely != first else ""
    return f"{said}; {sure}{also}."


def note(race: Race) -> str:
    """The race in a few lines of Markdown, for the page of its run in MLflow."""
    shown = "standing" if standing_chart(race) else "best_of"
    question = f"Who of {', '.join(race.values)} is first on {', '.join(race.workloads)}?"
    return describing.told(question, verdict(race), race.command, describing.picture(f"{PICTURES}/{shown}.png"))


def _how(race: Race) -> str:
    return (
        f"Each value tried {race.points} points on each workload, and its best was trained {race.repeats} times with "
        f"other seeds: {race.metric} is their mean. Probabilities and intervals cover these seeds, not the choice of "
        "points."
    )


def _facts(race: Race) -> Facts:
    failed = sum(one.objective is None for one in race.tries)
    seconds = sum(one.seconds for one in race.tries)
    return Facts(
        [("trainings", str(len(race.tries))), ("infeasible", str(failed)), ("training time", f"{seconds:.0f} s")]
    )


def by_rank(race: Race) -> list[str]:
    """The values, the best mean rank first."""
    ranks = standing.mean_ranks(race)
    return sorted(race.values, key=lambda value: (ranks[value], list(race.values).index(value)))


def overall_rows(race: Race) -> list[list[str]]:
    """A heading and a row for each value."""
    ranks, chances = standing.mean_ranks(race), standing.chances_of_first(race)
    rows = [["", "mean rank", "first", *(f"{race.metric_of(one)}, {one}" for one in race.workloads), "infeasible"]]
    for value in by_rank(race):
        means = [race.mean(workload, value) for workload in race.workloads]
        shown = ["" if mean is None else f"{mean:.4f}" for mean in means]
        chance = f"{chances[value]:.2f}" if value in chances else ""
        rows.append([value, f"{ranks[value]:.2f}", chance, *shown, f"{100 * race.infeasible(value):.0f}%"])
    return rows


def workload_rows(race: Race, workload: str) -> list[list[str]]:
    """A heading and a row for each value, the best first."""
    rows = [
        [
            "",
            race.metric_of(workload),
            "95% interval",
            "n",
            f"best {race.objective}",
            "infeasible",
            "seconds",
            "its point",
        ]
    ]
    for value in sorted(race.values, key=lambda one: _cost(race, workload, one)):
        best, scores = race.best(workload, value), race.came_to(workload, value)
        seconds = [one.seconds for one in race.searched(workload, value)]
        row = [value, *_mean_of(scores), str(len(scores)), f"{best.objective:.4f}" if best else "none"]
        row += [f"{100 * race.infeasible(value, workload):.0f}%", f"{sum(seconds) / max(len(seconds), 1):.2f}"]
        rows.append([*row, _point(best) if best else ""])
    return rows


def _mean_of(scores: Sequence[float]) -> list[str]:
    if not scores:
        return ["", ""]
    found = summarise(scores)
    known = found.low is not None and found.high is not None
    return [f"{found.mean:.4f}", f"{found.low:.4f} to {found.high:.4f}" if known else ""]


def _point(best: Try) -> str:
    return ", ".join(f"{name.rpartition('/')[2]} {_shown(one)}" for name, one in best.point.items())


def _cost(race: Race, workload: str, value: str) -> float:
    mean = race.mean(workload, value)
    return math.inf if mean is None else race.sign * mean


def _shown(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    return Table(rows[0], rows[1:], frozenset(range(1, len(rows[0]) - (rows[0][-1] == "its point"))))


def _of_workload(race: Race, workload: str) -> Section:
    chart = best_of_chart(race, workload)
    return Section(workload, [_table(workload_rows(race, workload)), *([chart] if chart else [])])


def _warned(race: Race) -> list[Part]:
    found = [*ranges.boundary_warnings(race), *ranges.coverage_warnings(race)]
    if not found:
        return ["No best lies at an end of its range, and none in a part of it that few points cover."]
    rows = [[one.kind, one.workload, one.value, one.text] for one in found]
    return [Table(["about", "workload", "", "what"], rows)]


def _failures(race: Race) -> list[Section]:
    failed = [one for one in race.tries if one.objective is None]
    rows = [[str(one.number), one.workload, one.value, one.shown, one.cause] for one in failed]
    table = Table(["#", "workload", "", "overrides", "cause"], rows, frozenset({0}))
    return [Section("Points that came to nothing", [table])] if failed else []


def standing_chart(race: Race) -> Chart | None:
    """What the repeats came to, each value in a column, the best mean rank at the left."""
    order = by_rank(race)
    layers: list[Layer] = []
    for place, workload in enumerate(race.workloads):
        found = [(at, score, value) for at, value in enumerate(order) for score in race.came_to(workload, value)]
        if found:
            shift = 0.2 * (place - (len(race.workloads) - 1) / 2) / max(len(race.workloads) - 1, 1)
            x, y = [at + shift for at, _, _ in found], [score for _, score, _ in found]
            texts = [f"{value}, {workload}: {score:.5g}" for _, score, value in found]
            layers.append(Points(x, y, workload, place, texts=texts))
    if not layers:
        return None
    note = "A dot is one of the repeats; the best mean rank stands at the left."
    x_axis = Axis("", categories=tuple(order))
    return Chart(f"{race.metric} of the repeats", x_axis, Axis(race.metric), tuple(layers), note, wide=True)


def best_of_chart(race: Race, workload: str) -> Chart | None:
    """What the best of k points is to be expected to be; the leaders with bands."""
    worst = _worst(race, workload)
    if worst is None:
        return None
    layers: list[Layer] = []
    order = sorted(race.values, key=lambda one: _cost(race, workload, one))
    for place, value in enumerate(order):
        tried = race.searched(workload, value)
        if not any(one.objective is not None for one in tried):
            continue
        scores = [worst if one.objective is None else one.objective for one in tried]
        k, curve = [float(at) for at in range(1, len(scores) + 1)], best_of.expected_best(scores, race.direction)
        if place < min(LEADERS, len(PALETTE)):
            low, high = zip(*best_of.bands(scores, race.direction), strict=True)
            layers.insert(0, Band(k, low, high, colour=place))
            layers.append(Line(k, curve, value, place, texts=_told(value, curve)))
        else:
            layers.insert(0, Line(k, curve, shade=0.3, thin=True, texts=_told(value, curve)))
    note = "A point that came to nothing counts as the worst on this workload. Bands: points drawn anew (95%)."
    return Chart(f"Best of k points, {workload}", Axis("k"), Axis(f"best {race.objective}"), tuple(layers), note)


def _told(value: str, curve: Sequence[float]) -> list[str]:
    return [f"{value}, best of {k}: {one:.5g}" for k, one in enumerate(curve, 1)]


def _worst(race: Race, workload: str) -> float | None:
    found = [
        race.sign * one.objective
        for value in race.values
        for one in race.searched(workload, value)
        if one.objective is not None
    ]
    return race.sign * max(found) if found else None


def isolation(race: Race, value: str) -> list[Chart]:
    """The objective against one knob after the other."""
    charts = []
    for knob in race.knobs:
        layers = tuple(_points_of(race, value, knob))
        if layers:
            name = knob.name.rpartition("/")[2]
            axis = Axis(name, log=knob.log, categories=knob.choices, bounds=_reach(knob))
            charts.append(Chart(f"{value}: {name}", axis, Axis(race.objective), layers))
    return charts


def _reach(knob: Knob) -> tuple[float, float] | None:
    """The whole range, and a little more: where the best lies in it is what the chart is for."""
    return None if knob.choices else (knob.at(-0.04), knob.at(1.04))


def _points_of(race: Race, value: str, knob: Knob) -> Iterator[Layer]:
    for place, workload in enumerate(race.workloads):
        tried = [one for one in race.searched(workload, value) if one.objective is not None and knob.name in one.point]
        best = race.best(workload, value)
        if tried:
            yield _marks(knob, tried, workload, place)
        if best and knob.name in best.point:
            yield _marks(knob, [best], "", place, star=True)


def _marks(knob: Knob, tried: Sequence[Try], name: str, colour: int, star: bool = False) -> Points:
    values = [one.point[knob.name] for one in tried]
    x = [float(knob.choices.index(str(value)) if knob.choices else value) for value in values]
    y = [float(one.objective or 0.0) for one in tried]
    texts = [f"#{one.number} {one.shown}: {one.objective:.5g}" for one in tried]
    return Points(x, y, name, colour, symbol="star" if star else "circle", texts=texts)


def profile_chart(race: Race) -> Chart | None:
    """On which share of the workloads a value is nearly the soonest."""
    found = standing.profile(race)
    if not found:
        return None
    shares = {value: share for value, (share, _) in found.items()}
    return groups.profile(standing.FACTORS, shares, {value: band for value, (_, band) in found.items()}, "epochs")


def markdown(race: Race) -> str:
    """The table over all workloads, and the sentence."""
    head, *rows = overall_rows(race)
    lines = [f"**{plain(verdict(race))}**", "", _row(head)]
    lines += [_row(["---", *["---:"] * (len(head) - 1)]), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(plain, cells))} |"


def lines(race: Race, directory: Path) -> list[str]:
    """What a terminal shows at the end."""
    rows = overall_rows(race)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    table = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
             for row in rows]  # fmt: skip
    warned = [*ranges.boundary_warnings(race), *ranges.coverage_warnings(race)]
    kinds = [(kind, sum(one.kind == kind for one in warned)) for kind in ("boundary", "coverage")]
    said = [f"{count} {kind} warnings are in the report" for kind, count in kinds if count]
    return [*table, verdict(race), *said, f"report: {directory / PAGE}", "next:", f"  {next_command(race, directory)}"]
