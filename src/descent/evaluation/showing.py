"""An evaluation on the screen."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent.evaluation.judging import Verdict
from descent.evaluation.recovering import Recovered

MOST_CLASSES = 20  # shown; the file has them all


def show(
    console: Console, run: Recovered, verdict: Verdict, report: dict[str, Any], where: str, folder: Path | None
) -> None:
    """Metrics beside those of the baselines, classes, cost, and where everything is."""
    console.print(_metrics(report))
    if verdict.classes:
        console.print(_classes(verdict))
    for text in (*_cost(run, report), f"run: {where}", *([f"files: {folder}"] if folder else [])):
        console.print(text, highlight=False, soft_wrap=True, markup=False)


def _metrics(report: dict[str, Any]) -> Table:
    title = f"{report['name']} {report['run'][:8]}: {report['split']}, {report['samples']:,} samples"
    table = Table(title=escape(title), title_justify="left")
    for column in ("metric", "this run", *report["baselines"]):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, value in report["metrics"].items():
        others = [found.get(name) for found in report["baselines"].values()]
        table.add_row(name.replace("_", " "), *("-" if one is None else f"{one:.4f}" for one in (value, *others)))
    return table


def _classes(verdict: Verdict) -> Table:
    rows = verdict.classes
    worst = sorted(rows, key=lambda row: row["f1"])[:MOST_CLASSES]
    shown = [row for row in rows if row in worst] if len(rows) > MOST_CLASSES else list(rows)
    title = f"the {len(shown)} classes of the lowest F1" if len(rows) > MOST_CLASSES else None
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "class" else "right")
    for row in shown:
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else escape(str(value)) for value in row.values()))
    return table


def _cost(run: Recovered, report: dict[str, Any]) -> list[str]:
    one, many = report["latency_ms"].values()
    threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
    where = threads if run.device.type == "cpu" else str(run.device)
    return [
        f"latency: {one:.3f} ms a sample alone, {many:.4f} ms in batches of 128 ({where}, median)",
        f"size: {report['megabytes']:.2f} MB, {run.parameters:,} parameters",
    ]
