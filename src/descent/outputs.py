"""Small copies of what a command came to, in the folder that `outputs=` names, for a pipeline to keep and compare.

The same training writes the same bytes, whenever, wherever and at which attempt: no times, ids or places are in them.
They are written at the very end, from the run's own directory, each file whole or not at all.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descent import place, processes, rules
from descent.durable import write_durably, write_json
from descent.errors import EnvironmentFault
from descent.place import Place

if TYPE_CHECKING:
    from descent.config import Config

KEY = "outputs"
WEIGHTS, METRICS, CURVES, PREDICTIONS = "weights.safetensors", "metrics.json", "curves.csv", "predictions.csv"
BEST, TRIALS = "best.json", "trials.csv"
TIMES = "time/"
TRAINING, DIGITS = "training", 16  # the column of trials.csv, and how much of a digest is in it


def refuse_place(given: str | None) -> None:
    """Where no folder can be made is known before anything is computed; a run's own directory is none of a copy's."""
    if given is None:
        return
    folder = Path(given).absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir():
        raise rules.refuse(KEY, given, "a folder", f"{there} is a file")
    if (folder / place.FILE).exists() and not _is_copy(folder):
        raise rules.refuse(KEY, given, "a folder of its own", "a run lies there")


def write_run(config: "Config", directory: Path) -> None:
    """Of a run that has finished; of one with several seeds or folds their means, and the first one's weights."""
    if config.outputs is None or config.one_of_many or processes.rank():
        return
    run = place.read(directory)
    if run is None or not run.finished:
        return
    told = json.loads((directory / run.results).read_text())
    first = run
    if run.identity and run.identity.repeated:
        metrics = {name: summary["mean"] for name, summary in told["metrics"].items()}
        done = next((one for one in told["repeats"] if not one["failed"]), None)
        found = place.read(directory / str(done["number"])) if done else None
        if found is None:
            return  # none finished
        first, told = found, {**told, "metrics": metrics}
    with _written(config.outputs) as folder:
        write_durably(folder / WEIGHTS, (first.directory / WEIGHTS).read_bytes())
        write_json(
            folder / METRICS, _timeless(told["metrics"]) | {"objective": told["objective"], "epochs": told["epochs"]}
        )
        _write_curves(folder / CURVES, json.loads((first.directory / "history.json").read_text()))
        write_durably(folder / PREDICTIONS, (first.directory / PREDICTIONS).read_bytes())
        _write_copy(folder, config, first)


def write_evaluation(given: str, report: Mapping[str, Any]) -> None:
    """Of an evaluation: what was measured, but for what a clock says."""
    with _written(given) as folder:
        baselines = {
            f"{name}/{metric}": value for name, found in report["baselines"].items() for metric, value in found.items()
        }
        write_json(folder / METRICS, _timeless(report["metrics"]) | baselines | {"samples": report["samples"]})
        write_table(folder / "classes.csv", report["classes"])


def write_sweep(config: "Config", best: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> None:
    """Of a grid or a search: the best point with what it came to, and a row for each."""
    if config.outputs is None:
        return
    with _written(config.outputs) as folder:
        write_table(folder / TRIALS, trials)
        write_json(folder / BEST, best)


def write_table(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV, on disk when this returns."""
    write_durably(file, table(rows))


def table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """As CSV; rows may lack a column: it is empty there."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def results_of(directory: Path) -> dict[str, float]:
    """The metrics of the finished run of a directory, but for times; none where there is none."""
    run = place.read(directory)
    return _timeless(json.loads((directory / run.results).read_text())["metrics"]) if run and run.finished else {}


def trainings_of(directory: Path) -> list[str]:
    """What the finished trainings of a directory are and came to, each of several seeds or folds: digests, cut."""
    inside = sorted((path for path in directory.glob("[0-9]*") if path.name.isdigit()), key=lambda path: int(path.name))
    runs = [run for path in inside or [directory] if (run := place.read(path)) and run.finished]
    weights = [json.loads((run.directory / run.results).read_text())["weights_sha256"] for run in runs]
    return [training_of(run, digest)[:DIGITS] for run, digest in zip(runs, weights, strict=True)]


def training_of(run: Place, weights_sha256: str) -> str:
    """The digest of what the run was made from and came to: another command may come to the same weights."""
    assert run.identity is not None, "a run that was trained has one"
    told = {key: value for key, value in vars(run.identity).items() if key not in ("torch", "device")}
    return hashlib.sha256(json.dumps([told, weights_sha256], sort_keys=True).encode()).hexdigest()


def trainings_in(folder: Path) -> list[str] | None:
    """The same of every trial of the sweep that the folder keeps; None where it keeps none."""
    try:
        with (folder / TRIALS).open(newline="") as stream:
            return [digest for row in csv.DictReader(stream) for digest in (row.get(TRAINING) or "").split()]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


@contextmanager
def _written(given: str) -> Iterator[Path]:
    """The folder, made where it is absent; what the disk refuses is told under `outputs`."""
    folder = Path(given).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        line = f"{KEY}: {folder} cannot be written: {error.strerror or error}"
        raise EnvironmentFault(rules.cut(line, rules.LONGEST_LINE)) from None


def _timeless(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if not name.startswith(TIMES)}


def _write_curves(file: Path, history: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    rows: dict[int, dict[str, Any]] = {}
    for name, points in history.items():
        for epoch, value in points:
            rows.setdefault(epoch, {"epoch": epoch})[name] = value if math.isfinite(value) else str(value)
    write_table(file, (rows[epoch] for epoch in sorted(rows)))


def _write_copy(folder: Path, config: "Config", run: Place) -> None:
    """As much of a run as evaluates it anywhere: `python src/evaluate.py run=<folder>`."""
    told = json.loads((run.directory / run.results).read_text())
    write_json(folder / place.RESULTS, {**told, "metrics": _timeless(told["metrics"]), "seconds": 0.0})
    given = tuple(word for word in run.overrides if word.partition("=")[0] != KEY)
    run.copied(folder, told["weights_sha256"][:32], given).kept()


def _is_copy(folder: Path) -> bool:
    found = place.read(folder)
    return found is not None and found.is_copy
