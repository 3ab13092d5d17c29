"""A search's report: one page, and its main charts as pictures beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from descent.pages import studies, surrogates
from descent.pages.chart import Chart
from descent.pages.page import Command, Facts, Page, Part, Section, Table, written
from descent.pages.studies import Study, Try
from descent.pages.surrogates import Belief
from descent.tracking import describing

PAGE, PICTURES = "report.html", "plots"
SHOWN = 20
MOST_FAILURES = 20
DOTS = 120  # an inch


@dataclass(frozen=True)
class Search:
    """What a page tells of a search."""

    name: str
    study: Study
    command: str  # that goes on with it
    best_command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    remarks: Sequence[str] = ()  # why it stopped, what pruning saved, warnings
    beliefs: Sequence[Belief] = field(default_factory=tuple)


def write(search: Search, directory: Path) -> list[Path]:
    """The page and the folder of pictures; what an earlier one has left is replaced."""
    page, folder = directory / PAGE, directory / PICTURES
    _replace(page, written(page_of(search)).encode())
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.png"):
        file.unlink()
    from descent.pages.pictures import picture

    for name, charts in pictured(search).items():
        picture(charts, search.name).savefig(folder / f"{name}.png", dpi=DOTS)
    return [page, folder]


def _replace(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


def pictured(search: Search) -> dict[str, list[Chart]]:
    """The main charts, by the name of their file; none of which nothing can be said."""
    study = search.study
    found: dict[str, Sequence[Chart | None]] = {
        "history": [studies.history(study)],
        "importance": [studies.importance(study)],
        "slices": studies.slices(study)[:6],
        "contour": [studies.contour(study)],
        "pareto": studies.pareto(study),
        "curves": [studies.curves(study)],
        "surrogate": [chart for belief in search.beliefs[:1] for chart in surrogates.charts(belief, study)],
    }
    kept = {name: [chart for chart in charts if chart is not None] for name, charts in found.items()}
    return {name: charts for name, charts in kept.items() if charts}


def page_of(search: Search) -> Page:
    """The whole page."""
    study = search.study
    charts = _charts(search)
    sections = [
        Section("What was found", _found(search)),
        *(Section(title, parts, note) for title, parts, note in charts if parts),
        Section(f"The best {min(SHOWN, len(study.finished))} trials", [_best(study)]),
        *_failures(study),
        Section("The commands", ["The search, to be gone on with:", Command(search.command)]),
    ]
    return Page(f"Search {search.name}", verdict(study), sections)


def verdict(study: Study) -> str:
    """One sentence."""
    count = len(study.finished)
    if not count:
        return "No trial has finished."
    if len(study.objectives) > 1:
        return f"{len(study.front())} of {count} finished trials are on the Pareto front."
    best = study.ranked()[0]
    return f"Best of {count} finished trials: #{best.number} with {study.objectives[0]} {best.values[0]:.5g}."


def note(search: Search) -> str:
    """The search in a few lines of Markdown, for the page of its run in MLflow."""
    study = search.study
    names = ", ".join(one.name for one in study.dimensions)
    wanted = " and ".join(f"{way} {name}" for way, name in zip(study.directions, study.objectives, strict=True))
    picture = describing.picture(f"{PICTURES}/history.png")
    return describing.told(f"Which {names} {wanted}?", verdict(study), search.command, picture)


def _found(search: Search) -> list[Part]:
    counts = Counter(one.state for one in search.study.tries)
    states = [(state, str(counts[state])) for state in ("finished", "pruned", "failed")]
    parts: list[Part] = [Facts([*states, *search.facts]), *search.remarks]
    if search.best_command:
        parts += ["The best trial's run, to be trained as an ordinary one:", Command(search.best_command)]
    return parts


def _charts(search: Search) -> list[tuple[str, list[Part], str]]:
    study = search.study
    believed = [chart for belief in search.beliefs for chart in surrogates.charts(belief, study)]
    overview = _there(studies.history(study), studies.importance(study))
    together = _there(studies.parallel(study), studies.contour(study))
    gp = "The Gaussian process that chooses the next trial, fitted to all finished ones."
    return [
        ("Progress", overview, ""),
        ("Pareto front", list(studies.pareto(study)), "No trial on the front is beaten in every objective."),
        ("One parameter at a time", list(studies.slices(study)), "The most important first; later trials are darker."),
        ("Parameters together", together, ""),
        ("Learning curves", _there(studies.curves(study)), ""),
        ("What the surrogate believes", list(believed), gp),
    ]


def _there(*charts: Chart | None) -> list[Part]:
    return [chart for chart in charts if chart is not None]


def _best(study: Study) -> Table:
    shown = study.ranked() if len(study.objectives) == 1 else study.front()
    rows = [[str(one.number), one.shown, *(f"{value:.5g}" for value in one.values)] for one in shown[:SHOWN]]
    numbers = frozenset({0, *range(2, 2 + len(study.objectives))})
    return Table(["#", "overrides", *study.objectives], rows, numbers)


def _failures(study: Study) -> list[Section]:
    failed: list[Try] = [one for one in study.tries if one.state == "failed"]
    if not failed:
        return []
    rows = [[str(one.number), one.shown, one.cause] for one in failed[:MOST_FAILURES]]
    left = f"{len(failed) - MOST_FAILURES} more are not shown." if len(failed) > MOST_FAILURES else ""
    return [Section("Failed trials", [Table(["#", "overrides", "cause"], rows, frozenset({0}))], left)]
