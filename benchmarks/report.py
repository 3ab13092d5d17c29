"""The tables, on a terminal and in a page."""

import datetime
import os
import platform
import statistics
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import rich.table
from rich.console import Console

BENCH, AUGMENTATION, SWEEPS = "make bench", "make bench, augmentation", "make bench, sweeps"
DIAGNOSIS = "make bench, diagnosis"
END = "<!-- /generated -->"


@dataclass
class Table:
    """Rows of text; the first `words` columns are not numbers."""

    title: str
    columns: tuple[str, ...]
    words: int
    rows: list[list[str]] = field(default_factory=list)

    @classmethod
    def of_ratios(cls) -> "Table":
        columns = ("work", "against", "ratio", "range", "pairs", "promised", "kept")
        return cls("Speed of Descent over speed of another: medians of pairs measured side by side", columns, words=2)

    @classmethod
    def of_seconds(cls) -> "Table":
        columns = ("what", "median", "range", "times", "promised", "kept")
        return cls("Seconds, of this machine", columns, words=1)

    def add(self, what: str, seconds: list[float], most: float | None = None) -> None:
        """A row of seconds, and the most that they may be."""
        median = statistics.median(seconds)
        promise = ["", ""] if most is None else [f"< {most:g}", "yes" if median < most else "no"]
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        self.rows.append([what, f"{median:.2f}", spread, str(len(seconds)), *promise])


def show(tables: list[Table]) -> None:
    """On the terminal."""
    console = Console()
    for table in tables:
        drawn = rich.table.Table(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="left" if number < table.words else "right", overflow="fold")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    console.print(machine())


def save(tables: list[Table], page: Path, mark: str) -> None:
    """Between the page's markers of that name."""
    begin = f"<!-- generated: {mark} -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"{page}: has no lines {begin} and {END}; write them where the tables belong")
    body = "\n\n".join([f"{datetime.date.today()}, {machine()}.", *map(_markdown, tables)])
    page.write_text(f"{before}{begin}\n{body}\n{END}{after}")


def machine() -> str:
    """What the figures belong to."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    libraries = [f"{name} {version(name)}" for name in ("torch", "pytorch-lightning", "mlflow", "optuna")]
    return ", ".join([f"{os.cpu_count()} cores of {model}", f"Python {platform.python_version()}", *libraries])


def _markdown(table: Table) -> str:
    rules = ["---" if number < table.words else "---:" for number in range(len(table.columns))]
    lines = [f"| {' | '.join(row)} |" for row in (list(table.columns), rules, *table.rows)]
    return "\n".join([f"**{table.title}**", "", *lines])
