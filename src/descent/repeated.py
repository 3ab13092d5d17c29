"""What several trainings came to together: written to the directory that they share, logged, and shown."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent.comparison.summary import CONFIDENCE, Summary, summarise, summarise_all
from descent.config import project_root
from descent.durable import write_json
from descent.errors import DataError
from descent.finding import SHORTEST_PREFIX, word_for
from descent.place import RESULTS, Place
from descent.report import command
from descent.rules import LONGEST_LINE, cut
from descent.vocabulary import REPORTED

if TYPE_CHECKING:
    from descent.config import Config
    from descent.outcome import Outcome

INTERVAL = f"{100 * CONFIDENCE:.0f}%"
SHOWN = ("best/", "test/", "gap/")


@dataclass(frozen=True)
class Repeat:
    """One of the trainings; `failed` says why it came to nothing."""

    number: int  # of its directory
    seed: int
    fold: int | None
    local_id: str = ""
    objective: float | None = None
    weights_sha256: str = ""
    failed: str = ""

    @property
    def shown(self) -> str:
        """`seed=1 fold=2`, as on a command line."""
        return f"seed={self.seed}" + ("" if self.fold is None else f" fold={self.fold}")


@dataclass(frozen=True)
class Repeated:
    """Metric → its summary over the repeats that finished, and those that did not."""

    objective: float
    metrics: dict[str, Summary]
    repeats: tuple[Repeat, ...]
    epochs: int  # of all repeats together
    stopped_because: str | None = None  # where further ones were not wanted

    @property
    def failed(self) -> list[Repeat]:
        return [repeat for repeat in self.repeats if repeat.failed]


def together(repeats: Sequence[tuple[Repeat, "Outcome | None"]], stopped_because: str | None = None) -> Repeated:
    """Of repeats with what each came to; a failed one has no outcome and does not count in the means."""
    outcomes = [outcome for _, outcome in repeats if outcome is not None]
    return Repeated(
        objective=summarise([outcome.objective for outcome in outcomes]).mean if outcomes else math.nan,
        metrics=summarise_all([outcome.metrics for outcome in outcomes]),
        repeats=tuple(repeat for repeat, _ in repeats),
        epochs=sum(outcome.epochs for outcome in outcomes),
        stopped_because=stopped_because,
    )


def logged(metrics: Mapping[str, Summary]) -> dict[str, float]:
    """As a run's metrics: the metric's own name has the mean, so that it stands beside those of single runs."""
    found: dict[str, float] = {}
    for name, summary in metrics.items():
        if name.startswith("model/"):
            continue  # of the configuration: every repeat has the same
        parts = {"": summary.mean, "/n": summary.n, "/std": summary.std}
        parts |= {"/ci95_low": summary.low, "/ci95_high": summary.high}
        found |= {f"{name}{part}": float(value) for part, value in parts.items() if value is not None}
    return found


def write(found: Repeated, place: Place) -> None:
    """Into the shared directory."""
    write_json(place.directory / RESULTS, asdict(found))


def read(place: Place) -> Repeated:
    """What `write` has left."""
    file = place.directory / place.results
    try:
        said: dict[str, Any] = json.loads(file.read_text())
        metrics = {name: Summary(**summary) for name, summary in said["metrics"].items()}
        return Repeated(**{**said, "metrics": metrics, "repeats": tuple(Repeat(**one) for one in said["repeats"])})
    except (ValueError, TypeError, KeyError) as error:
        line = f"{file}: damaged ({type(error).__name__}); resume=never starts anew"
        raise DataError(cut(line, LONGEST_LINE)) from None


def show(console: Console, config: "Config", found: Repeated, place: Place) -> None:
    """A line for each repeat, the table of means, the place, and commands to go on with; in a multirun one line."""
    if config.one_of_many:
        console.print(_brief(config, found), highlight=False, soft_wrap=True)
        return
    console.print(_each(config, found))
    console.print(_means(found))
    lines = [f"run: {place.where}", f"directory: {place.directory}", "", "next:"]
    for text in (*lines, *(f"  {one}" for one in next_commands(config, place))):
        console.print(text, highlight=False, soft_wrap=True, markup=False)


def next_commands(config: "Config", place: Place) -> list[str]:
    """More repeats for a narrower interval, and something to compare with."""
    more = ["python", "src/train.py", word_for(place, project_root()), f"seeds={2 * config.seeds}"]
    other = {"adam": "momentum"}.get(config.optimizer.choice, "adam")
    return [shlex.join(more), command(config, optimizer=other)]


def _brief(config: "Config", found: Repeated) -> str:
    told = [f"test/{name}" for name in REPORTED[config.dataset.settings["task"]]]
    tests = {name: found.metrics[name] for name in told if name in found.metrics}
    shown = [f"{config.objective} {found.objective:.4f}", *(f"{name} {_spread(one)}" for name, one in tests.items())]
    done = len(found.repeats) - len(found.failed)
    return "  ".join([f"    mean of {done}: {shown[0]}", *shown[1:]])


def _each(config: "Config", found: Repeated) -> Table:
    table = Table(title=f"{escape(config.name)}: {len(found.repeats)} repeats", title_justify="left")
    for column in ("#", "repeat", "run", config.objective):
        table.add_column(column, justify="right" if column in ("#", config.objective) else "left")
    for repeat in found.repeats:
        value = "failed" if repeat.objective is None else f"{repeat.objective:.4f}"
        table.add_row(str(repeat.number), repeat.shown, repeat.local_id[:SHORTEST_PREFIX], value)
    return table


def _means(found: Repeated) -> Table:
    table = Table()
    for column in ("metric", "mean ± std", f"{INTERVAL} interval", "n"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, summary in found.metrics.items():
        if name.startswith(SHOWN) and name != "best/epoch":
            interval = "-" if summary.low is None else f"{summary.low:.4f} to {summary.high:.4f}"
            table.add_row(name, _spread(summary), interval, str(summary.n))
    return table


def _spread(summary: Summary) -> str:
    return f"{summary.mean:.4f}" + ("" if summary.std is None else f" ± {summary.std:.4f}")
