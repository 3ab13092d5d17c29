"""Settings that are fine one by one and wrong together. Each check is a function of the plain settings."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from descent import processes, step_contradictions
from descent.data.knobs import COMMON, KINDS, Sizes, sizes
from descent.errors import UsageError
from descent.rules import near, refuse
from descent.vocabulary import CHOOSING_SPLITS, METRICS, RANKED, TOP, metric_names

# Lightning arguments that manual optimization cannot honour or that have a knob of ours: argument → what to use.
OURS = {
    "gradient_clip_val": "regularization=[gradient_clipping]",
    "gradient_clip_algorithm": "regularization=[gradient_clipping]",
    "accumulate_grad_batches": "accumulate=…",
    "max_epochs": "epochs=…",
    "min_epochs": "epochs=…",
    "max_steps": "epochs=…",
    "min_steps": "epochs=…",
    "precision": "precision=…",
    "accelerator": "device=…",
    "deterministic": "determinism=…",
    "benchmark": "determinism=…",
    "logger": "tracking=…",
    "log_every_n_steps": "tracking.steps=true",
    "default_root_dir": "hydra.run.dir=…",
    "enable_checkpointing": "restore=…",
    "enable_model_summary": "dry_run=true",
    "barebones": "tracking=none",
    "fast_dev_run": "dry_run=true",
    "overfit_batches": "a smaller dataset",
    "limit_val_batches": "dataset.val_fraction=…",
    "limit_test_batches": "dataset.test_fraction=…",
    "limit_predict_batches": "nothing: nothing is predicted here",
    "num_nodes": "one machine, with trainer.devices=…",
    "limit_train_batches": "epochs=…",
    "val_check_interval": "trainer.check_val_every_n_epoch=…",
    "num_sanity_val_steps": "dry_run=true",
    "use_distributed_sampler": "nothing: every device already reads its own part",
    "reload_dataloaders_every_n_epochs": "nothing: the order already differs in every epoch",
}
LARGEST_SEED = 2**32 - 1
# Items that would overrule each other, and in what.
EXCLUSIVE = (
    ("ema", "swa", "which weights are evaluated"),
    ("batch_norm", "layer_norm", "the model's norm"),
)
NOUNS = {"image": "an image", "table": "a table", "sequence": "a sequence"}
# What a column of a table can be said to be.
COLUMN_TYPES = ("number", "category", "text", "ignore")
# Items that change the numbers a model reads.
NOT_FOR_WORDS = {"input_noise", "mixup"}  # cutmix is for images anyway
_REGULARIZATION = re.compile(r"\+?regularization=\[(.*)\]", re.DOTALL)


def lookup(settings: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value at a dotted path, or the default."""
    node: Any = settings
    for part in path.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return default
        node = node[part]
    return node


def refuse_doubled_items(overrides: Sequence[str]) -> None:
    """`regularization=[l2,l2]` composes in silence: the second is merged into the first."""
    for override in overrides:
        if found := _REGULARIZATION.fullmatch(override):
            items = [item.strip(" '\"") for item in found[1].split(",")]
            doubled = sorted({item for item in items if items.count(item) > 1})
            if doubled:
                raise refuse("regularization", f"[{found[1]}]", "each item once", f"leave one {doubled[0]}")


def refuse_unmet(owner: str, condition: str, settings: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
    """`requires: model.dropout` asks that the key exists, `requires: dataset.task=classification` for its value."""
    path, _, wanted = condition.partition("=")
    got = lookup(settings, path)
    if (str(got) in wanted.split("|")) if wanted else got is not None:
        return
    key, _, item = owner.partition(".")
    group = path.partition(".")[0]
    if wanted:
        raise refuse(
            key, item or choices[key], f"with {path}={wanted}", f"{path} is {got}: choose another {key} or {group}"
        )
    given = item or choices[key]
    raise refuse(
        key, given, f"with a {group} that takes {path.partition('.')[2]}", f"choose another {group} or drop {given}"
    )


def refuse_all(settings: Mapping[str, Any]) -> None:
    """The first contradiction as one line, if there is any."""
    for check in CHECKS:
        check(settings)


def _regularization(settings: Mapping[str, Any]) -> None:
    items = sorted(settings.get("regularization", {}))
    if "none" in items and len(items) > 1:
        raise refuse("regularization", f"[{','.join(items)}]", "[none] or other items", "leave out none")
    if not items:
        raise refuse("regularization", "[]", "at least one item", "use regularization=[none]")
    for one, other, matter in EXCLUSIVE:
        if one in items and other in items:
            given = f"[{','.join(items)}]"
            raise refuse("regularization", given, f"{one} or {other}", f"both decide {matter}: leave out one")


def _clipping(settings: Mapping[str, Any]) -> None:
    clipping = settings["regularization"].get("gradient_clipping")
    if clipping and clipping["max_norm"] is None and clipping["max_value"] is None:
        allowed = "a number here or in regularization.gradient_clipping.max_value"
        raise refuse("regularization.gradient_clipping.max_norm", None, allowed, "or leave gradient_clipping out")


def _stopping(settings: Mapping[str, Any]) -> None:
    stopping = settings["regularization"].get("early_stopping", {})
    ends = [stopping[key] for key in ("patience", "target", "gradient_norm") if key in stopping]
    if ends and all(end is None for end in ends):
        allowed = "a number here, in target or in gradient_norm"
        raise refuse("regularization.early_stopping.patience", None, allowed, "or leave early_stopping out")


def _ranges(settings: Mapping[str, Any]) -> None:
    for key in ("zoom", "erasing_area", "erasing_aspect"):
        low, high = settings["augmentation"].get(key, (0, 0))
        if low > high:
            raise refuse(f"augmentation.{key}", [low, high], "the smaller number first")


def _step_owners(settings: Mapping[str, Any]) -> None:
    """Both make the step's passes themselves."""
    if "sam" in settings["regularization"] and str(settings["optimizer"].get("_target_")).endswith(".LBFGS"):
        allowed = "with an optimizer that asks for one gradient a step"
        raise refuse("regularization", "sam", allowed, "drop sam or choose another than lbfgs")


def _trainer(settings: Mapping[str, Any]) -> None:
    for key in settings["trainer"]:
        if key in OURS:
            raise UsageError(f"trainer.{key}: not Lightning's to do here; use {OURS[key]}")


def _splits(settings: Mapping[str, Any]) -> None:
    dataset = settings["dataset"]
    if dataset.get("test_samples") and dataset["test_fraction"] > 0:
        hint = f"its own test part has {dataset['test_samples']} samples"
        raise refuse("dataset.test_fraction", dataset["test_fraction"], "0 for this dataset", hint)
    held_out = dataset["val_fraction"] + (0 if dataset.get("test_samples") else dataset["test_fraction"])
    if held_out >= 1:
        raise refuse("dataset.val_fraction", dataset["val_fraction"], "val_fraction + test_fraction below 1")
    if "samples" not in dataset:
        return  # known once the data is read, and checked there
    samples, counts = dataset["samples"], _sizes(settings)
    for key, count in (("val_fraction", counts.val), ("test_fraction", counts.test)):
        if dataset[key] > 0 and count == 0:
            raise refuse(f"dataset.{key}", dataset[key], "0, or enough for one sample", f"there are {samples}")
    if dataset["fraction"] < 1 and counts.train == 0:
        raise refuse("dataset.fraction", dataset["fraction"], "enough for one training sample")


def _sizes(settings: Mapping[str, Any]) -> Sizes:
    dataset = settings["dataset"]
    return sizes(
        dataset["samples"],
        dataset["val_fraction"],
        dataset["test_fraction"],
        dataset["fraction"],
        settings["folds"],
        settings["fold"] or 0,  # the first one validates on the most
        test_samples=dataset.get("test_samples"),
    )


def _common_knobs(settings: Mapping[str, Any]) -> None:
    """A dataset of the user's own may have left them out."""
    for key in COMMON:
        if key not in settings["dataset"]:
            allowed = "every common knob in a dataset's YAML"
            raise refuse(f"dataset.{key}", "nothing", allowed, "begin with defaults: [/every_dataset@_here_, _self_]")


def _kind_of_data(settings: Mapping[str, Any]) -> None:
    dataset = settings["dataset"]
    for key, kind in KINDS.items():
        if dataset[key] is not None and dataset["kind"] != kind:
            raise refuse(
                f"dataset.{key}", dataset[key], f"null for {NOUNS[dataset['kind']]}", f"it is for {NOUNS[kind]}"
            )
    features = [str(feature) for feature in dataset["features"] or []]
    if len(set(features)) < len(features):
        raise refuse("dataset.features", dataset["features"], "each column once")


def _cache(settings: Mapping[str, Any]) -> None:
    """A word that comes close to one of ours is no folder; one with a slash is."""
    given = settings["dataset"]["cache"]
    words = {"auto": "auto", "null": "null", "none": "null"}
    meant = difflib.get_close_matches(str(given).lower(), words, n=1, cutoff=0.7)
    if given not in (None, "auto") and meant:
        hint = f"did you mean {words[meant[0]]}? A folder of that name is ./{given}"
        raise refuse("dataset.cache", given, "auto | a folder | null", hint)


def _table(settings: Mapping[str, Any]) -> None:
    dataset = settings["dataset"]
    if "text" in dataset and dataset["kind"] == "sequence" and dataset["text"] is None:
        raise refuse("dataset.kind", "sequence", "table without dataset.text", "it follows from text")
    for name, kind in (dataset.get("types") or {}).items():
        if kind not in COLUMN_TYPES:
            raise refuse(f"dataset.types.{name}", kind, " | ".join(COLUMN_TYPES), near(str(kind), COLUMN_TYPES))


def _words(settings: Mapping[str, Any]) -> None:
    """Their numbers are names: they can be looked up, and neither blended nor blurred."""
    text = settings["dataset"].get("text")
    if text is None:
        return
    if "embedding" not in settings["model"]:
        raise refuse("dataset.text", text, "null with a model that reads no words", "use model=lstm")
    for item in sorted(NOT_FOR_WORDS & settings["regularization"].keys()):
        raise refuse("regularization", item, "items that leave inputs as they are, with dataset.text", f"drop {item}")


def _shape(settings: Mapping[str, Any]) -> None:
    dataset = settings["dataset"]
    if "shape" in dataset and dataset["kind"] == "image" and len(dataset["shape"]) != 3:
        raise refuse("dataset.shape", dataset["shape"], "[channels,height,width] for an image")


def _repeats(settings: Mapping[str, Any]) -> None:
    seed, seeds, folds, fold = (settings[key] for key in ("seed", "seeds", "folds", "fold"))
    if seed + seeds - 1 > LARGEST_SEED:
        raise refuse("seeds", seeds, f"1 to {LARGEST_SEED - seed + 1} from seed={seed} on")
    if fold is not None and (folds == 1 or fold >= folds):
        allowed = f"0 to {folds - 1}, below folds" if folds > 1 else "null without folds"
        raise refuse("fold", fold, allowed, "the first is 0" if folds > 1 else "set folds=…")
    _folds(settings["dataset"], folds)
    devices, key = settings["trainer"]["devices"], "seeds" if seeds > 1 else "folds"
    if devices > 1 and (seeds > 1 or (folds > 1 and fold is None)):
        one = "fold=…" if key == "folds" else "seed=…"
        raise refuse(key, settings[key], "1 with several devices", f"start a command for each {one}")


def _folds(dataset: Mapping[str, Any], folds: int) -> None:
    if folds == 1:
        return
    if dataset["val_fraction"] == 0:
        hint = "a fold validates on its part: leave out dataset.val_fraction=0"
        raise refuse("folds", folds, "1 without a validation split", hint)
    if dataset["val_split"] == "last":
        raise refuse("dataset.val_split", "last", "stratified with folds", "the last samples are one part only")
    if "samples" not in dataset:
        return  # known once the data is read, and checked there
    rest = dataset["samples"]
    if not dataset.get("test_samples"):
        rest -= round(rest * dataset["test_fraction"])
    if folds > rest:
        raise refuse("folds", folds, f"1 to {rest} (the samples that are not held out for the test)")


def _batches(settings: Mapping[str, Any]) -> None:
    dataset, batch_size = settings["dataset"], settings["batch_size"]
    if "samples" not in dataset:
        return  # known once the data is read, and checked there
    refuse_batches(batch_size, settings["accumulate"], _sizes(settings).train)


def refuse_batches(batch_size: int | str, accumulate: int, training_samples: int) -> None:
    """A minibatch larger than the training split, or more minibatches to a step than there are."""
    if training_samples < 1:
        raise refuse("dataset.val_fraction", "every sample held out", "at least one left to train on")
    size = training_samples if batch_size == "full" else int(batch_size)
    if size > training_samples:
        raise refuse("batch_size", size, f"1 to {training_samples} (the training samples) or full")
    batches = -(-training_samples // size)
    if accumulate > batches:
        raise refuse("accumulate", accumulate, f"1 to {batches} (the minibatches of an epoch)")


def _monitored(settings: Mapping[str, Any]) -> dict[str, str]:
    """Every metric that something waits for, by the key that names it."""
    wanted = {"objective": settings["objective"]}
    if "monitor" in settings["scheduler"]:
        wanted["scheduler.monitor"] = settings["scheduler"]["monitor"]
    if "monitor" in settings["batch_growth"]:
        wanted["batch_growth.monitor"] = settings["batch_growth"]["monitor"]
    for name, item in settings["regularization"].items():
        if "monitor" in item:
            wanted[f"regularization.{name}.monitor"] = item["monitor"]
    return wanted


def _monitors(settings: Mapping[str, Any]) -> None:
    dataset = settings["dataset"]
    task, classes = dataset["task"], dataset.get("classes")
    names = metric_names(task, dataset["val_fraction"] > 0, classes if isinstance(classes, int) else None)
    for key, metric in _monitored(settings).items():
        if metric not in names:
            raise refuse(key, metric, " | ".join(names), _why_not(metric, dataset) or near(metric, names))


def _why_not(metric: str, dataset: Mapping[str, Any]) -> str:
    """Of a metric that there is, elsewhere."""
    split, _, name = metric.partition("/")
    task = dataset["task"]
    if split == "test":
        return "the test split decides nothing"
    if name not in METRICS[task]:
        others = [one for one in METRICS if name in METRICS[one]]
        return f"{name} is of {others[0]}, and this is {task}" if others else ""
    if split == "val" and dataset["val_fraction"] == 0:
        return "there is no validation split: set dataset.val_fraction above 0"
    return f"{name} is for more than {TOP} classes" if name == "top5" and split in CHOOSING_SPLITS else ""


def _validation(settings: Mapping[str, Any]) -> None:
    every, epochs = settings["trainer"].get("check_val_every_n_epoch", 1), settings["epochs"]
    if every > epochs:
        raise refuse("trainer.check_val_every_n_epoch", every, f"1 to {epochs} (epochs)")


def _tracking(settings: Mapping[str, Any]) -> None:
    tracking = settings["tracking"]
    if tracking["kind"] == "server" and not tracking["uri"] and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise refuse("tracking.uri", "nothing", "an address", "set tracking.uri=http://… or MLFLOW_TRACKING_URI")
    if not settings.get("register"):
        return
    if tracking["kind"] == "none" or not tracking["model"]:
        without = "tracking=none" if tracking["kind"] == "none" else "tracking.model=false"
        raise refuse("register", settings["register"], f"nothing with {without}", "a registered model is a tracked one")
    if settings["seeds"] > 1 or (settings["folds"] > 1 and settings["fold"] is None):
        raise refuse(
            "register", settings["register"], "one training", "python src/evaluate.py register=… takes any of them"
        )


def _loader(settings: Mapping[str, Any]) -> None:
    loader = settings["loader"]
    if loader["workers"] and not loader["stream"]:
        raise refuse("loader.workers", loader["workers"], "0 for data held in memory", "set loader.stream=true")


def _devices(settings: Mapping[str, Any]) -> None:
    """Several devices share each minibatch, one backward pass a step."""
    devices = settings["trainer"]["devices"]
    if devices != processes.started():
        start = f"torchrun --nproc-per-node={devices} src/train.py …"
        raise refuse("trainer.devices", devices, f"{processes.started()} (processes started here)", f"use {start}")
    if devices == 1:
        return
    if settings["loader"]["chunk"] not in ("auto", 1):
        raise refuse("loader.chunk", settings["loader"]["chunk"], "1 or auto with several devices")
    if settings["accumulate"] > 1:
        raise refuse("accumulate", settings["accumulate"], "1 with several devices", "raise batch_size instead")
    if settings["batch_size"] == "full" or settings["batch_size"] % devices:
        raise refuse("batch_size", settings["batch_size"], f"a multiple of the {devices} devices")
    for key, metric in _monitored(settings).items():
        split, _, name = metric.partition("/")
        if split == "train" and name in RANKED:
            raise refuse(key, metric, f"val/{name} with several devices, none of which sees all training outputs")


CHECKS = (
    _regularization,
    _clipping,
    _stopping,
    _ranges,
    _step_owners,
    _trainer,
    _common_knobs,
    _kind_of_data,
    _cache,
    _repeats,
    _splits,
    _shape,
    _table,
    _words,
    _batches,
    *step_contradictions.CHECKS,
    _monitors,
    _validation,
    _loader,
    _tracking,
    _devices,
)
