"""A comparison as files: a table for a README, figures for DVC, a page with its pictures."""

import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from descent import rules
from descent.comparison.selecting import studies_named
from descent.durable import write_durably, write_json
from descent.errors import EnvironmentFault
from descent.pages.chart import Chart
from descent.pages.page import Page, written
from descent.tracking import describing
from descent.tracking.attaching import attach
from descent.tracking.reading import Archive, Stored
from descent.tracking.secrets import mask

TABLE, FIGURES, PAGE, PICTURES = "table.md", "comparison.json", "report.html", "plots"
FILES = (PAGE, PICTURES, TABLE, FIGURES)
DOTS = 120  # an inch
ATTACHED = "comparison"  # the folder among a run's artifacts


@dataclass(frozen=True)
class Told:
    """What is kept of a comparison. `page` takes the command; the first of the charts is shown with the description."""

    markdown: str
    figures: Mapping[str, Any]
    charts: Mapping[str, Chart]
    page: Callable[[str], Page]
    question: str
    answer: str


def keep(told: Told, archive: Archive, request: Mapping[str, Any]) -> None:
    """In a folder, with the study's run, or both."""
    command = mask(shlex.join(["python", "src/compare.py", *sys.argv[1:]]))
    study = _the_study(archive, request["study"]) if request["report"] else None
    with nullcontext(request["save"]) if request["save"] is not None else TemporaryDirectory() as place:
        folder = Path(place)
        write(told, command, folder)
        if request["save"] is not None:
            print(f"report: {folder / PAGE}")
        if study:
            first = next(iter(told.charts), None)
            picture = describing.picture(f"{ATTACHED}/{PICTURES}/{first}.png", study.id) if first else ""
            words = describing.told(told.question, told.answer, command, picture)
            attach(archive, study, [folder / name for name in FILES], ATTACHED, words)
            print(f"report: {ATTACHED}/{PAGE} of {study.name} in {archive.shown}")


def _the_study(archive: Archive, name: str) -> Stored:
    study, *others = studies_named(list(archive.runs(tags={"role": "study"})), name)
    if others:
        ids = " | ".join(one.id for one in (study, *others))
        raise rules.refuse("study", name, f"the id of one with report=true: {ids}")
    return study


def write(told: Told, command: str, folder: Path) -> None:
    """Into the folder, made if need be; what is in it under other names stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TABLE).write_text(told.markdown)
        write_json(folder / FIGURES, told.figures)
        write_durably(folder / PAGE, written(told.page(command)).encode())
        _draw(told.charts, folder / PICTURES)
    except OSError as error:
        raise EnvironmentFault(rules.cut(f"save: {folder} cannot be written: {error.strerror}", 200)) from None


def _draw(charts: Mapping[str, Chart], folder: Path) -> None:
    from descent.pages.pictures import picture

    folder.mkdir(exist_ok=True)
    for earlier in folder.glob("*.png"):
        earlier.unlink()
    for name, chart in charts.items():
        picture([chart]).savefig(folder / f"{name}.png", dpi=DOTS, metadata={"Software": None})
