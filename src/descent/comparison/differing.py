"""What differs between two trainings: in what they were made from, and from which step on in what they came to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from descent import identity
from descent.comparison.account import Account, Points

CLOCKED = "time/"  # metrics that no two runs have in common
CPU = ("cpu",)
LIBRARIES = (
    "python",
    "torch",
    "torchvision",
    "pytorch_lightning",
    "numpy",
    "scikit_learn",
    "hydra_core",
    "optuna",
    "mlflow",
)
DECIDING = ("torch", "torchvision", "pytorch_lightning", "numpy", "scikit_learn", "python")  # about numbers
SEEDS = ("seed", "dataset.split_seed", "fold")
MISSING = "nothing"


@dataclass(frozen=True)
class Change:
    """One thing that the two have not in common. `kind` is the word that a cause is named by."""

    kind: str
    what: str
    a: str
    b: str

    @property
    def shown(self) -> str:
        said = f"{self.what} {self.a} → {self.b}" if self.a or self.b else self.what
        return f"{self.kind}: {said}"


@dataclass(frozen=True)
class FirstStep:
    """The first step whose losses differ: NaN for one that has no such step. Steps and epochs count from 1."""

    step: int
    epoch: int
    a: float
    b: float

    @property
    def by(self) -> float:
        return abs(self.a - self.b)


@dataclass(frozen=True)
class Curve:
    """A metric that differs: in which epoch first (from 1), how, and by how much at most."""

    metric: str
    epoch: int
    a: float
    b: float
    most: float


@dataclass(frozen=True)
class Differences:
    """Empty everywhere: the two came to the same bits. `causes` are what they were made from, likely ones first."""

    step: FirstStep | None
    curves: tuple[Curve, ...]
    results: tuple[tuple[str, float, float], ...]
    weights: bool
    predictions: bool
    causes: tuple[Change, ...]

    @property
    def identical(self) -> bool:
        """In weights, predictions, every metric of every epoch and the loss of every step."""
        return not (self.step or self.curves or self.results or self.weights or self.predictions)


def differences(a: Account, b: Account) -> Differences:
    """From the first to the second."""
    curves = (_curve(name, a.history.get(name, ()), b.history.get(name, ())) for name in {**a.history, **b.history})
    found = sorted((curve for curve in curves if curve), key=lambda curve: (curve.epoch, curve.metric))
    return Differences(
        step=_first_step(a, b),
        curves=tuple(found),
        results=tuple(_results(a.metrics, b.metrics)),
        weights=a.weights_sha256 != b.weights_sha256,
        predictions=a.predictions_sha256 != b.predictions_sha256,
        causes=tuple(changes(a, b)),
    )


def changes(a: Account, b: Account) -> list[Change]:
    """Whatever the two were not made alike from; what most likely made the difference comes first."""
    found = [*_settings(a, b), *_code(a, b)]
    if a.identity.data != b.identity.data:
        found.append(Change("data", "digest", a.identity.data[:12], b.identity.data[:12]))
    found += _resolved(a, b)
    found += _environment(a, b)
    return found


def _first_step(a: Account, b: Account) -> FirstStep | None:
    common = min(len(a.losses), len(b.losses))
    one, other = a.losses[:common], b.losses[:common]
    apart = np.flatnonzero(one.view(np.uint32) != other.view(np.uint32))  # -0.0 is not 0.0, a NaN is itself
    if not len(apart) and len(a.losses) == len(b.losses):
        return None
    step = int(apart[0]) if len(apart) else common
    longer = a if len(a.losses) >= len(b.losses) else b
    first, second = (float(run.losses[step]) if step < len(run.losses) else math.nan for run in (a, b))
    return FirstStep(step + 1, longer.epoch_of(step) + 1, first, second)


def _curve(metric: str, a: Points, b: Points) -> Curve | None:
    if metric.startswith(CLOCKED):
        return None
    one, other = dict(a), dict(b)
    epochs = sorted({**one, **other})
    apart = [epoch for epoch in epochs if not _same(one.get(epoch), other.get(epoch))]
    if not apart:
        return None
    pairs = [(one.get(epoch, math.nan), other.get(epoch, math.nan)) for epoch in apart]
    most = max((abs(x - y) for x, y in pairs if not math.isnan(x - y)), default=math.nan)
    return Curve(metric, apart[0] + 1, *pairs[0], most)


def _results(a: Mapping[str, float], b: Mapping[str, float]) -> list[tuple[str, float, float]]:
    names = sorted(name for name in {**a, **b} if not name.startswith(CLOCKED))
    pairs = [(name, a.get(name), b.get(name)) for name in names]
    return [(name, _number(x), _number(y)) for name, x, y in pairs if not _same(x, y)]


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _settings(a: Account, b: Account) -> list[Change]:
    one = {**a.identity.settings, "epochs": a.identity.epochs}
    other = {**b.identity.settings, "epochs": b.identity.epochs}
    found = []
    for key, before, after in identity.setting_changes(one, other):
        kind = "seed" if key in SEEDS else key if key in ("precision", "threads", "device") else "configuration"
        found.append(Change(kind, key, before, after))
    return found


def _code(a: Account, b: Account) -> list[Change]:
    one, other = a.identity.code, b.identity.code
    files = sorted(file for file in {**one, **other} if one.get(file) != other.get(file))
    if not files:
        return []
    made = [_made_from(run) for run in (a, b)]
    if made[0] == made[1]:
        made = ["", ""]
    return [Change("code", ", ".join(files), *made)]


def _made_from(run: Account) -> str:
    if not run.source:
        return ""
    commit = str(run.source.get("commit") or "no commit")[:12]
    return f"{commit} with diff {run.source['diff_sha256'][:12]}" if run.source.get("dirty") else commit


def _resolved(a: Account, b: Account) -> list[Change]:
    found = []
    for kind, name in (("threads", "threads"), ("device", "device"), ("device", "device_name")):
        one, other = a.resolved.get(name), b.resolved.get(name)
        if None not in (one, other) and one != other:
            found.append(Change(kind, name, str(one), str(other)))
    if not a.resolved.get("device") and a.identity.device != b.identity.device:
        found.append(Change("device", "device", a.identity.device, b.identity.device))
    return found


def _environment(a: Account, b: Account) -> list[Change]:
    one, other = dict(a.environment), dict(b.environment)
    if not one or not other:
        one, other = {"torch": a.identity.torch}, {"torch": b.identity.torch}
    return environment_changes(one, other)


def environment_changes(one: Mapping[str, str], other: Mapping[str, str]) -> list[Change]:
    """Libraries that numbers come from first, then the processor, then the rest."""
    changed = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    ranked = sorted(changed, key=lambda name: (name not in DECIDING, name not in CPU, name))
    return [Change(_kind(name), name, one.get(name, MISSING), other.get(name, MISSING)) for name in ranked]


def _kind(name: str) -> str:
    if name in LIBRARIES:
        return "library version"
    return {"cpu": "CPU", "cores": "CPU", "gpu": "device", "lock_sha256": "lock"}.get(name, "machine")
