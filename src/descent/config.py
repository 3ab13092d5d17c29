"""From the composed YAML to a typed, checked, frozen Config. After this nobody reads raw configuration.

Nothing heavy is imported here, so a wrong command is refused in a fraction of a second.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from descent import contradictions, objectives, rules, sweeping
from descent.errors import UsageError
from descent.interpolation import resolved
from descent.rules import refuse
from descent.vocabulary import LOSS, METRICS, OBJECTIVE, Direction, better_direction

GROUPS = ("model", "optimizer", "scheduler", "batch_growth", "dataset", "augmentation", "loss", "trainer", "tracking")
OTHER_GROUPS = ("experiment", "trainer", "tracking")
NODES = (*GROUPS, "loader", "checkpoint", "regularization", "search", "pruner")
ABOUT_NODES = ("allowed", "requires", "space")  # keys that describe a node and are no settings of it
ABOUT_TARGETS = ("_target_", "_partial_")
FIND = "find"
UNIT_RATE = 1.0  # what an optimizer is built with until its rate is found: a schedule's factor is then the rate


@dataclass(frozen=True)
class Component:
    """One choice of a group: its file's name and the settings that build it (`_target_` and arguments)."""

    choice: str
    settings: dict[str, Any]

    @property
    def target(self) -> str | None:
        return self.settings.get("_target_")


@dataclass(frozen=True)
class Loader:
    chunk: int | Literal["auto"]
    stream: bool
    workers: int
    drop_last: bool


@dataclass(frozen=True)
class Checkpoint:
    seconds: float
    every: int | None
    last: bool = True  # whether the state at the end is kept, from which more epochs could go on


@dataclass(frozen=True)
class Tracking:
    kind: Literal["local", "server", "none"]
    uri: str | None
    experiment: str
    model: bool
    pictures: bool
    trial_artifacts: bool
    steps: bool


@dataclass(frozen=True)
class Config:
    """Everything a run is made from. `settings` is the same as nested plain values, for the record."""

    lr: float | Literal["find"]  # a number once it is found
    weight_decay: float
    batch_size: int | Literal["full"]
    accumulate: int
    epochs: int
    seed: int
    seeds: int
    folds: int
    fold: int | None
    objective: str
    direction: Direction
    restore: Literal["best", "last"]
    device: Literal["auto", "cpu", "cuda"]
    precision: str
    threads: int | Literal["auto"]
    determinism: Literal["exact", "fast"]
    name: str
    tags: dict[str, str]
    resume: str
    outputs: str | None
    register: str | None
    dry_run: bool
    loader: Loader
    checkpoint: Checkpoint
    tracking: Tracking
    model: Component
    optimizer: Component
    scheduler: Component
    batch_growth: Component
    regularization: tuple[Component, ...]
    dataset: Component
    augmentation: Component
    loss: Component
    trainer: dict[str, Any]
    settings: dict[str, Any]
    other_choices: dict[str, str]  # of the groups that change no result: experiment, trainer, tracking
    overrides: tuple[str, ...]  # as they were given
    one_of_many: bool  # a job of a multirun, or a repeat
    composed: tuple[Mapping[str, Any], dict[str, Any]]  # what it was parsed from: for `varied` alone
    sweep: dict[str, Any]  # what its multirun was told, and is none of its settings

    @property
    def choices(self) -> dict[str, str]:
        """Group → choice, as it is recorded."""
        one = {group: getattr(self, group).choice for group in GROUPS if group not in ("trainer", "tracking")}
        return {**one, "regularization": "+".join(sorted(item.choice for item in self.regularization))}

    @property
    def repeats(self) -> int:
        """How many trainings it stands for."""
        return self.seeds * (self.folds if self.fold is None else 1)

    @property
    def repeated(self) -> bool:
        """Whether they are several, told together."""
        return self.repeats > 1

    @property
    def is_searched(self) -> bool:
        """Whether the command leaves lr to us; `settings` say so for ever."""
        return bool(self.settings["lr"] == FIND)

    @property
    def lr_found(self) -> float | None:
        """What lr=find came to, once it has."""
        return self.lr if self.is_searched and isinstance(self.lr, float) else None

    def at(self, lr: float) -> "Config":
        """The same with that learning rate in the place of lr=find."""
        node = {key: lr if value == FIND else value for key, value in self.settings["optimizer"].items()}
        return replace(self, lr=lr, optimizer=Component(self.optimizer.choice, node))

    @property
    def monitored(self) -> set[str]:
        """Every metric that something in this run waits for."""
        parts = (self.scheduler, self.batch_growth, *self.regularization)
        return {self.objective} | {part.settings["monitor"] for part in parts if "monitor" in part.settings}


def project_root() -> Path:
    """Where runs, data and the local store live: the entry point sets it, so that any working directory will do."""
    return Path(os.environ.get("DESCENT_ROOT", ".")).resolve()


def workspace_root() -> Path:
    """Where what a pipeline reads and writes lies: the project, or DVC's copy of it in which the command runs."""
    return Path(os.environ.get("DESCENT_WORKSPACE") or project_root()).resolve()


def located(dataset: Component) -> Component:
    """A dataset in files with where they are.

    `root` and `scratch`, folders, are relative to the project, and null is data/<choice> and data; `path`, a file, is
    relative to where the command was given, or else to the project.
    """
    folders = {"root": f"data/{dataset.choice}", "scratch": "data"}
    known = [key for key in folders if key in dataset.settings]
    found = {key: str(project_root() / (dataset.settings[key] or folders[key])) for key in known}
    if "path" in dataset.settings:
        given = Path(str(dataset.settings["path"])).expanduser()
        places = [base / given for base in (Path.cwd(), project_root(), source_root())]
        found["path"] = str(next((place for place in places if place.exists()), given))
    return replace(dataset, settings={**dataset.settings, **found})


def source_root() -> Path:
    """Where the code of this run stands: its commit and lock are what a reproduction needs."""
    here = Path(__file__).resolve().parents[2]
    return here if (here / ".git").exists() else project_root()


def parse(
    raw: Mapping[str, Any], choices: Mapping[str, Any], overrides: Sequence[str], one_of_many: bool = False
) -> Config:
    """The typed configuration, or UsageError with the first thing that is wrong in one line."""
    contradictions.refuse_doubled_items(overrides)
    plain, aims = _resolve(raw)
    settings = _checked(plain, plain, choices, "")
    sweep = sweeping.taken(settings, choices, one_of_many, aims)
    contradictions.refuse_all(settings)
    typed = _typed(settings, choices)
    about: dict[str, Any] = {
        "overrides": tuple(overrides),
        "one_of_many": one_of_many,
        "composed": (raw, dict(choices)),
        "sweep": sweep,
    }
    return replace(typed, **about)


def varied(config: Config, **root_knobs: Any) -> Config:
    """One of many: the same command with other root knobs, and whatever interpolates from them."""
    raw, choices = config.composed
    given = {f"{key}={value}": key for key, value in root_knobs.items() if value is not None}
    kept = [word for word in config.overrides if word.lstrip("+").partition("=")[0] not in root_knobs]
    return parse({**raw, **root_knobs}, choices, (*given, *kept), one_of_many=True)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `model.hidden` paths; lists stay whole."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        path = f"{prefix}{key}"
        out.update(flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return out


def _resolve(raw: Mapping[str, Any]) -> tuple[dict[str, Any], objectives.Aims]:
    """Plain values; objective and direction are decided first, for what interpolates from them; and several of them."""
    try:
        decided, aims = _decided(raw, resolved(raw))
        return resolved({**raw, **decided}), aims
    except MissingMandatoryValue as error:
        key = str(error.full_key)
        raise refuse(key, "nothing", "a value", f"set {key}=…") from None
    except OmegaConfBaseException as error:
        raise UsageError(rules.cut(f"{error.full_key}: {str(error).splitlines()[0]}", rules.LONGEST_LINE)) from None


def _decided(raw: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[dict[str, Any], objectives.Aims]:
    """What the dataset decides, in the place of what was composed."""
    dataset, objective, direction = known["dataset"], known["objective"], known["direction"]
    decided: dict[str, Any] = {}
    if dataset.get("text") is not None:
        decided["dataset"] = {**raw["dataset"], "kind": "sequence"}
    if (task := dataset.get("task")) not in list(METRICS):  # a list or mapping cannot be looked up
        return decided, []
    aims: objectives.Aims = []
    if isinstance(objective, list):
        aims = objectives.aims_of(objective, direction, dataset)
        objective, direction = objectives.own(aims)
    if objective == "auto":
        objective = f"val/{OBJECTIVE[task]}" if dataset.get("val_fraction") != 0 else "train/loss"
    if direction == "auto" and str(objective).split("/")[-1] in METRICS[task]:
        direction = better_direction(objective, task)
    return {**decided, "objective": objective, "direction": direction}, aims


def _checked(node: dict[str, Any], whole: dict[str, Any], choices: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The node without its `allowed` and `requires`, every value under the rule that stands beside it."""
    allowed: dict[str, str] = node.get("allowed", {})
    out: dict[str, Any] = {}
    for key, value in node.items():
        path = f"{prefix}{key}"
        if key in ABOUT_NODES:
            continue  # a space file's node too: the sweeper reads it
        if key in allowed:
            out[key] = _obey(path, value, str(allowed[key]), whole)
        elif isinstance(value, dict) and (path in NODES or prefix == "regularization."):
            out[key] = _checked(value, whole, choices, f"{path}.")
        elif path in NODES:
            raise refuse(path, value, f"the keys under it, {path}.key=…", "--cfg job shows them")
        elif key == "_partial_" and value is not True:
            raise refuse(path, value, "true")
        elif key in ABOUT_TARGETS or (key[:1] != "_" and ("_target_" in node or prefix == "trainer.")):
            out[key] = value  # an argument of the target: its signature is checked once it can be imported
        else:
            raise unknown_key(path, whole)
    for condition in _listed(node.get("requires")):
        contradictions.refuse_unmet(prefix.rstrip("."), condition, whole, choices)
    return out


def unknown_key(path: str, whole: Mapping[str, Any]) -> UsageError:
    """The refusal of a key that does not exist, with the nearest one that does."""
    parent, _, name = path.rpartition(".")
    keys = [key for key in flat(whole) if not any(part in ABOUT_NODES or part[:1] == "_" for part in key.split("."))]
    known = sorted({key for key in keys if key != path and not key.startswith(f"{path}.")} | set(GROUPS))
    beside = [key for key in known if key.rpartition(".")[0] == parent]
    shown = " ".join(key.rpartition(".")[2] for key in beside) or "see --help"
    line = f"{path}: unknown key; allowed{f' under {parent}' if parent else ''}: {shown}"
    meant = rules.SYNONYMS.get(name, name)
    same_name = rules.near(meant, [key for key in known if key.rpartition(".")[2] == meant])
    close = rules.near(path, beside) or rules.near(name, beside)
    hint = (close or same_name) if parent and meant == name else (same_name or close)
    hint = hint or rules.near(path, known)
    if path in rules.OTHERWISE:
        hint = f"did you mean {rules.OTHERWISE[path]}?"
    room = rules.LONGEST_LINE - len(hint) - 2
    return UsageError(f"{rules.cut(line, room)}; {hint}" if hint else rules.cut(line, rules.LONGEST_LINE))


def _obey(path: str, value: Any, rule: str, whole: dict[str, Any]) -> Any:
    if rule.startswith("follows "):
        return _follow(path, value, rule.removeprefix("follows ").split(" else "), whole)
    try:
        return rules.check(rule, value)
    except rules.Mismatch:
        meant = "" if isinstance(value, float) else rules.near(str(value), rules.words(rule))  # inf is not `find`
        raise refuse(path, value, rule, meant) from None


def _follow(path: str, value: Any, ways: list[str], whole: dict[str, Any]) -> Any:
    """`a.b else c.d else word`: the first path that exists decides, the word where none does."""
    sources, default = (ways[:-1], ways[-1]) if len(ways) > 1 else (ways, "")
    given = [contradictions.lookup(whole, source) for source in sources]
    expected = next((found for found in given if found is not None), default)
    if str(value) == str(expected):
        return value
    source = next((one for one in sources if f".{value}_" in one), sources[0])
    item = source.split(".")[1] if source.startswith("regularization.") else ""
    hint = f"set {source}={value} instead" + (f", with {item} in regularization=[…]" if item else "")
    raise refuse(path, value, f"the value of {source}", hint)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


def _typed(settings: dict[str, Any], choices: Mapping[str, Any]) -> Config:
    task = settings["dataset"]["task"]
    direction_of = {settings["objective"]: settings["direction"]}
    for node in (settings["scheduler"], settings["batch_growth"], *settings["regularization"].values()):
        if node.get("direction") == "auto":
            node["direction"] = direction_of.get(node["monitor"]) or better_direction(node["monitor"], task)
    if settings["dataset"]["val_fraction"] == 0:
        settings["restore"] = "last"  # nothing says which epoch was the best
    choices = {**choices, "loss": LOSS[task] if choices.get("loss") == "auto" else choices.get("loss")}
    components = {
        group: Component(str(choices[group]), settings[group])
        for group in GROUPS
        if group not in ("trainer", "tracking")
    }
    items = tuple(Component(name, node) for name, node in sorted(settings["regularization"].items()))
    named = {key: settings[key] for key in Config.__dataclass_fields__ if key in settings and key not in GROUPS}
    config = Config(
        **{
            **named,
            **components,
            "precision": str(settings["precision"]),
            "tags": {str(key): str(value) for key, value in (settings["tags"] or {}).items()},
            "loader": Loader(**settings["loader"]),
            "checkpoint": Checkpoint(**settings["checkpoint"]),
            "tracking": Tracking(**settings["tracking"]),
            "trainer": settings["trainer"],
            "regularization": items,
            "settings": settings,
            "other_choices": {group: str(choices.get(group) or "none") for group in OTHER_GROUPS},
            "overrides": (),
            "one_of_many": False,
            "composed": ({}, {}),
            "sweep": {},
        }
    )
    return replace(config.at(UNIT_RATE), lr="find") if config.is_searched else config
