"""An evaluation from beginning to end: this is the table of contents."""

import csv
from pathlib import Path
from typing import Any

from rich.console import Console

from descent import outputs as copies
from descent import ownership, registering, rules
from descent.durable import write_json
from descent.errors import EnvironmentFault
from descent.evaluation import predicting, showing
from descent.evaluation.baselines import baselines
from descent.evaluation.judging import Verdict, judge
from descent.evaluation.latency import latency
from descent.evaluation.mistakes import write_mistakes
from descent.evaluation.recovering import Recovered, original, recover
from descent.place import Place
from descent.record import MOST_CLASSES, destination, run_name
from descent.tasks.measures import class_names
from descent.tracking.confusion import confusion_picture
from descent.tracking.run import open_run

FOLDER, REPORT = "evaluate", "report.json"
# What is not for predictions, with what it is without being given.
ONLY_MEASURING = {"split": "test", "baseline": False, "json": None, "outputs": None, "register": None}
OUT = "predictions.csv"


def run(
    run: str | None,
    model: str | None,
    register: str | None,
    force: bool,
    split: str,
    baseline: bool,
    device: str,
    json: str | None,
    predict: str | None,
    out: str,
    outputs: str | None = None,
) -> dict[str, Any] | int:
    """What `python src/evaluate.py` does: a report, or the number of rows that were predicted."""
    run = _meant(run, model)
    if force and register is None:
        raise rules.refuse("force", "true", "with register=…", "it decides about a champion")
    given = {"split": split, "baseline": baseline, "json": json, "outputs": outputs, "register": register}
    if predict is not None:
        for key, without in ONLY_MEASURING.items():
            if given[key] != without:
                raise rules.refuse(key, given[key], "nothing with predict=…", "measure and predict one after the other")
        predicting.refuse_place(Path(out), Path(predict))
        return predicting.predict(recover(run, device), Path(predict), Path(out))
    if out != OUT:
        raise rules.refuse("out", out, "a file with predict=…", "json=… keeps what is measured")
    if json is not None:
        refuse_folder("json", Path(json))
    copies.refuse_place(outputs)
    recovered = recover(run, device)
    report = evaluate(recovered, split, baseline, None if json is None else Path(json))
    if outputs is not None:
        copies.write_evaluation(outputs, report)
    if register is not None:
        registering.register(recovered, register, force)
    return report


def _meant(run: str | None, model: str | None) -> str:
    """The run, by itself or by the name of its model."""
    if run is not None and model is not None:
        raise rules.refuse("model", model, "nothing with run=…", "a model is that of its run")
    if model is not None:
        return registering.named(model)
    if run is None:
        raise rules.refuse("run", "nothing", "a text", "set run=…")
    return run


def evaluate(run: Recovered, split: str, with_baselines: bool, file: Path | None) -> dict[str, Any]:
    """Measure the reported weights on a split, keep it with the run, and show it."""
    verdict = judge(run, split)
    report = {
        "run": run.place.local_id,
        "name": run.place.name,
        "split": split,
        "samples": len(run.split(split)),
        "metrics": verdict.metrics,
        "classes": list(verdict.classes),
        "latency_ms": {f"batch_{size}": taken for size, taken in latency(run).items()},
        "threads": run.threads,
        "device": str(run.device),
        "megabytes": run.weights.stat().st_size / 1e6,
        "parameters": run.parameters,
        "baselines": baselines(run, split) if with_baselines else {},
    }
    where, folder = _kept(run, verdict, report)
    if file is not None:
        _keep(file, report)
    showing.show(Console(), run, verdict, report, where, folder)
    return report


def _kept(run: Recovered, verdict: Verdict, report: dict[str, Any]) -> tuple[str, Path | None]:
    """With the run, and where it is recorded; a pipeline's copy of a run is left as it is."""
    place = original(run.place)
    if place is None:
        return "not tracked", None
    with ownership.held(place.directory):
        folder = place.directory / FOLDER / report["split"]
        _write(run, verdict, report, folder)
        return _log(run, place, report, folder), folder


def refuse_folder(key: str, file: Path) -> None:
    """A file that cannot be written is refused before anything is computed."""
    if file.is_dir():
        raise rules.refuse(key, file, "a file", "this is a directory")
    if not file.absolute().parent.is_dir():
        raise rules.refuse(key, file, "a file in a directory that exists", f"make {file.parent} first")


def _write(run: Recovered, verdict: Verdict, report: dict[str, Any], folder: Path) -> None:
    """The report and its pictures, in the run's own directory."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()  # of an earlier evaluation
    write_mistakes(run, verdict, report["split"], folder)
    if verdict.counts is not None:
        with (folder / "classes.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(verdict.classes[0]))
            writer.writeheader()
            writer.writerows(verdict.classes)
        if run.data.outputs <= MOST_CLASSES:
            title = f"{report['split']} split of {run.data.name}"
            picture = confusion_picture(verdict.counts, class_names(run.data), title)
            picture.savefig(folder / "confusion.png", dpi=150)
    write_json(folder / REPORT, report)


def _log(run: Recovered, place: Place, report: dict[str, Any], folder: Path) -> str:
    """Into the run's own record, as `evaluate/<split>/…`; where that is."""
    prefix = f"{FOLDER}/{report['split']}"
    metrics = {f"{prefix}/{name}": value for name, value in report["metrics"].items()}
    metrics |= {f"{FOLDER}/latency_ms/{name}": value for name, value in report["latency_ms"].items()}
    metrics[f"{FOLDER}/megabytes"] = report["megabytes"]
    for name, found in report["baselines"].items():
        metrics |= {f"{prefix}/{name}/{metric}": value for metric, value in found.items()}
    name = run_name(run.config)
    with open_run(destination(run.config), place.directory, name=name, tags={}, **place.ids) as record:
        record.metrics(metrics, run.outcome.epochs - 1)
        record.artifact(folder, FOLDER)
    return record.where


def _keep(file: Path, report: dict[str, Any]) -> None:
    try:
        write_json(file, report)
    except OSError as error:
        raise EnvironmentFault(rules.cut(f"json: {file} cannot be written: {error.strerror}", 200)) from None
