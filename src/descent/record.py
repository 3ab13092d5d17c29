"""What a run leaves behind: in its own directory, and in the tracking store."""

import json
import platform
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_model
from torch import nn

from descent import flavour, outputs
from descent.assembly import Parts
from descent.config import Config, flat, project_root, source_root
from descent.data.split import Data, Split
from descent.description import CURVES
from descent.durable import laid_out, write_whole
from descent.errors import DataError
from descent.outcome import Outcome
from descent.place import RESULTS, Place
from descent.rate_search import CURVE, PICTURE
from descent.report import command
from descent.reproduction import recording
from descent.rules import LONGEST_LINE, cut
from descent.tasks.answering import answer
from descent.tasks.measures import class_names, confusion, predicted
from descent.tracking import pipeline, provenance
from descent.tracking.confusion import confusion_picture
from descent.tracking.curves import learning_curves
from descent.tracking.destination import Destination, resolved
from descent.tracking.model import log_model
from descent.tracking.outbox import stored_id
from descent.tracking.run import Run
from descent.trainer import device_of
from descent.watching import PRUNED
from descent.yaml_text import yaml_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLE_ROWS = 4
ENCODING = "encoding.json"
LONGEST_NAME = 120
MOST_CLASSES = 2000  # of a picture


def run_name(config: Config) -> str:
    """`name model/optimizer/dataset lr=0.1`: what tells runs apart in a list."""
    told = ("name", "tags", "tracking", "trainer", "experiment", "model", "optimizer", "dataset", "resume", "outputs")
    given = [override for override in config.overrides if override.lstrip("+~").split("=")[0] not in told]
    plain = ("tags.", "tracking.", "trainer.", "hydra")
    others = [override for override in given if not override.startswith(plain) and override != "seeds=1"]
    groups = "/".join(config.choices[group] for group in ("model", "optimizer", "dataset"))
    return cut(" ".join([config.name, groups, *others]), LONGEST_NAME)


def destination(config: Config) -> Destination:
    """Where the configuration sends its runs."""
    return Destination(config.tracking.kind, config.tracking.uri, config.tracking.experiment, project_root())


def where(config: Config, place: Place) -> str:
    """Where a finished run is to be found now: it may have been stored after its end."""
    stored = stored_id(place.directory)
    known = stored is None or stored in place.where
    return place.where if known else f"{resolved(destination(config)).shown} run {stored}"


def beginning(run: Run, config: Config, parts: Parts, place: Place, *, again: bool) -> None:
    """Everything that is known before the first step; of a later sitting only that it is one."""
    if device_of(config) == "cuda":
        torch.cuda.reset_peak_memory_stats()  # an earlier training of this process may have needed more
    if again:
        recording.renew(place, config)
    else:
        _first_sitting(run, config, parts, place)
    if place.parent or config.repeated:
        run.tags({"role": "child" if place.parent else "parent"})
    if place.resumed:
        run.tags({"resumed": place.resumed})
    if place.extended_from:
        run.tags({"extended_from": " ".join(map(str, place.extended_from))})


def _first_sitting(run: Run, config: Config, parts: Parts, place: Place) -> None:
    root, directory = source_root(), place.directory
    run.params({**_logged_settings(config), **config.choices, **config.other_choices})
    source, facts = provenance.of_this_process(root) if place.parent else provenance.code_and_machine(root)
    dvc = pipeline.facts(source.commit) if config.tracking.kind != "none" else {}
    run.tags(
        {
            **dvc,
            **_source_tags(source),
            "dataset_sha256": parts.data.digest,
            "threads": parts.threads,
            "chunk": parts.engine.recipe.feed.chunk,
            "precision": config.precision,
            "device": _device_name(config),
            "host": socket.gethostname(),
            "run_directory": str(directory),
            "command": command(config),
        }
    )
    if not place.parent:
        _surroundings(run, source, facts)
    recording.keep(place, config, source, facts, _resolved(config, parts))
    with run.bundle():
        run.artifact(directory / recording.FILE, masked=True)
        run.text(yaml_of(config.settings), "config/resolved.yaml")
        unresolved = directory / ".hydra" / "config.yaml"
        if unresolved.exists():
            run.text(unresolved.read_text(), "config/unresolved.yaml")
            run.text((directory / ".hydra" / "overrides.yaml").read_text(), "config/overrides.yaml")
    run.dataset(
        parts.data.name, parts.data.digest, "training", config.dataset.target or "", _profile(config, parts, dvc)
    )
    run.metrics({"model/parameters": parts.parameters, "model/multiply_adds": parts.multiply_adds}, 0)
    if config.lr_found is not None:
        run.metrics({"lr_found": config.lr_found}, 0)
        for name in (CURVE, PICTURE):
            run.artifact(directory / name)


def of_a_study(run: Run, data: str) -> None:
    """What is the same for all its trials: told by their parent alone."""
    source, facts = provenance.of_this_process(source_root())
    run.tags({**_source_tags(source), "dataset_sha256": data})
    _surroundings(run, source, facts)


def _source_tags(source: provenance.Source) -> dict[str, str]:
    return {
        "git_commit": source.commit or "none",
        "git_branch": source.branch or "none",
        "git_dirty": str(source.dirty).lower(),
        "diff_sha256": source.diff_sha256,
    }


def _surroundings(run: Run, source: provenance.Source, facts: Mapping[str, str]) -> None:
    run.tags({f"environment.{name}": value for name, value in facts.items()})
    if source.diff:
        run.text(source.diff, "source/diff.patch")


def ending(run: Run, config: Config, parts: Parts, outcome: Outcome, place: Place) -> None:
    """Results, and what a later diagnosis or reproduction needs from an old run."""
    engine, directory = parts.engine, place.directory
    came_to = {name: value for name, value in outcome.metrics.items() if not name.startswith("model/")}  # told before
    came_to["memory/peak_megabytes"] = _peak_megabytes(config)
    run.metrics(came_to, outcome.epochs - 1)
    run.tags({"weights_sha256": outcome.weights_sha256, "predictions_sha256": outcome.predictions_sha256})
    run.tags({"training_sha256": outputs.training_of(place, outcome.weights_sha256)})
    stopping(run, outcome.stopped_because)
    save_model(engine.model, str(directory / "weights.safetensors"))  # tied weights are written once
    np.save(directory / "loss_per_step.npy", np.concatenate(engine.losses))
    files = {
        "layers.json": laid_out(engine.statistics.rows),
        "history.json": laid_out(engine.history),
        outputs.PREDICTIONS: outputs.table(predictions(parts)),
        RESULTS: laid_out(asdict(outcome)),
    }
    if parts.data.encoding:
        files[ENCODING] = laid_out({**parts.data.encoding, "scaling": _scaling(parts)})
    for name, content in files.items():
        write_whole(directory / name, content)
    if config.tracking.kind == "none":
        return
    with run.bundle():
        for name in ("loss_per_step.npy", "layers.json"):
            run.artifact(directory / name, "diagnostics", masked=True)
        for name in ("history.json", RESULTS, "weights.safetensors"):
            run.artifact(directory / name, masked=True)
        if parts.data.encoding:
            run.artifact(directory / ENCODING)
    if config.tracking.pictures:
        _pictures(run, config, parts, outcome)
    if config.tracking.model:
        network = nn.Sequential(engine.scaling, engine.model, answer(parts.data.task)).cpu().eval()
        made_from = flavour.recipe(config, parts.data, engine.recipe.loss)
        log_model(run, network, _example(parts), otherwise=flavour.rebuilding(made_from))


def stopping(run: Run, reason: str | None) -> None:
    """Why it has ended before its last epoch, or its last repeat."""
    if reason:
        run.tags({"stopped_because": reason})
    if reason == PRUNED:
        run.tags({"trial_state": "PRUNED"})


def predictions(parts: Parts) -> list[dict[str, Any]]:
    """What was there and what was taken for it, of the split that was measured last; a row for each number."""
    data, raw = parts.data, parts.engine.outputs
    targets = _last_split(data)[1].targets
    if data.task == "classification":
        names = class_names(data)
        pairs = [
            (names[true], names[guess]) for true, guess in zip(targets.tolist(), predicted(raw).tolist(), strict=True)
        ]
    else:  # `loss=value` has no targets
        pairs = list(zip(targets.flatten().tolist(), raw.flatten().tolist(), strict=False))
    return [{"actual": actual, "predicted": guess} for actual, guess in pairs]


def _pictures(run: Run, config: Config, parts: Parts, outcome: Outcome) -> None:
    run.figure(learning_curves(parts.engine.history, run_name(config), outcome.epoch), CURVES)
    if parts.data.task == "classification" and parts.data.outputs <= MOST_CLASSES:
        run.figure(_confusion(parts), "confusion.png")


def together(run: Run, config: Config, directory: Path) -> None:
    """The learning curves of repeats in one picture."""
    from descent.pages.groups import curves
    from descent.pages.pictures import picture

    histories = [json.loads(file.read_text()) for file in sorted(directory.glob("*/history.json"))]
    wanted = list(dict.fromkeys([config.objective, "train/loss", "val/loss"]))
    drawn = [curves({"repeats": [one.get(name, []) for one in histories]}, name) for name in wanted]
    if config.tracking.pictures and (charts := [chart for chart in drawn if chart]):
        run.figure(picture(charts, run_name(config)), CURVES)


def outcome_of(place: Place) -> Outcome:
    """What a finished run came to."""
    file = place.directory / place.results
    try:
        return Outcome(**json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        line = f"{file}: damaged ({type(error).__name__}); resume=never starts anew"
        raise DataError(cut(line, LONGEST_LINE)) from None


def objective_of(place: Place) -> float:
    """What a finished run, of one training or several, returns."""
    from descent import repeated

    is_repeated = place.identity is not None and place.identity.repeated
    return repeated.read(place).objective if is_repeated else outcome_of(place).objective


def _logged_settings(config: Config) -> dict[str, Any]:
    return {
        name: value
        for name, value in flat(config.settings).items()
        if name != "dry_run" and not name.startswith("tags")
    }


def _resolved(config: Config, parts: Parts) -> dict[str, Any]:
    """What the machine has decided, or decides about bits."""
    return {
        "threads": parts.threads,
        "chunk": parts.engine.recipe.feed.chunk,
        "precision": config.precision,
        "device": device_of(config),
        "device_name": _device_name(config),
        "samples": len(parts.data.train),
        "tested": parts.data.test is not None,
    }


def _profile(config: Config, parts: Parts, dvc: dict[str, str]) -> dict[str, Any]:
    data = parts.data
    known = {"dvc": dvc[key]} if (key := f"{pipeline.PREFIX}deps.{config.dataset.settings['cache']}") in dvc else {}
    sizes = {
        name: len(split) for name, split in (("train", data.train), ("val", data.val), ("test", data.test)) if split
    }
    return {
        "samples": sizes,
        "input_shape": list(data.input_shape),
        "outputs": data.outputs,
        "task": data.task,
        **known,
    }


def _scaling(parts: Parts) -> dict[str, Any]:
    """What the model's inputs are shifted and divided by, behind the encoding."""
    return {name: buffer.flatten().tolist() for name, buffer in parts.engine.scaling.named_buffers()}


def _example(parts: Parts) -> np.ndarray:
    rows = parts.data.train.inputs[:EXAMPLE_ROWS].cpu().numpy()
    return rows if rows.dtype == np.int64 else rows.astype(np.float32)


def _confusion(parts: Parts) -> "Figure":
    """Of the outputs that were measured last: the test split's where there is one."""
    data, (name, split) = parts.data, _last_split(parts.data)
    counts = confusion(parts.engine.outputs, split.targets, data.outputs)
    return confusion_picture(counts.numpy(), class_names(data), f"{name} split of {data.name}")


def _last_split(data: Data) -> tuple[str, Split]:
    """Which was measured last: the test split where there is one."""
    name = "test" if data.test else "validation" if data.val else "training"
    return name, data.test or data.val or data.train


def _peak_megabytes(config: Config) -> float:
    """Of the GPU what tensors took; else of the process, with everything that it did before."""
    if device_of(config) == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * maxrss_unit(sys.platform) / 1e6


def maxrss_unit(system: str) -> int:
    """Bytes that `ru_maxrss` counts: kilobytes, but on macOS bytes."""
    return 1 if system == "darwin" else 1024


def _device_name(config: Config) -> str:
    if device_of(config) == "cuda":
        return torch.cuda.get_device_name()
    return platform.processor() or platform.machine()
