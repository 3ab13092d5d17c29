"""What makes two commands the same training: the configuration, the code and the data."""

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from descent.config import Config, flat
from descent.rules import cut
from descent.tracking.secrets import mask_values

# Settings that change no result. Epochs and seeds are compared apart: more of them extend a training.
FREE = (
    "name",
    "tags",
    "outputs",
    "tracking",
    "resume",
    "register",
    "checkpoint",
    "dataset.cache",
    "dry_run",
    "dataset.path",  # the data's digest counts
    "epochs",
    "seeds",
    "regularization.swa.epochs",
    "loader.workers",
    "loader.chunk",
    "trainer.enable_progress_bar",
    "dataset.root",
    "dataset.download",
    "dataset.verify",
    "dataset.scratch",
    "dataset.in_memory",
)
# Parts of the package that a result does not come from; whatever is not named here counts.
NO_PART = {
    "advice.py",
    "arguments.py",
    "yaml_text.py",
    "evaluation",
    "tracking",
    "comparison",
    "callbacks/checkpointing.py",
    "callbacks/progress.py",
    "checkpoints.py",
    "composition.py",
    "data/cache.py",
    "data/manifest.py",
    "contradictions.py",
    "data/downloading.py",
    "data/faults.py",
    "data/known.py",
    "description.py",
    "diagnosing.py",
    "diagnosis",
    "door.py",
    "dry_run.py",
    "durable.py",
    "entering.py",
    "errors.py",
    "finding.py",
    "flavour.py",
    "identity.py",
    "interpolation.py",
    "interruption.py",
    "lettering.py",
    "lifeline.py",
    "origin.py",
    "outputs.py",
    "ownership.py",
    "pages",
    "place.py",
    "preparing.py",
    "presence.py",
    "pruning.py",
    "races",
    "recalling.py",
    "recomposing.py",
    "record.py",
    "registering.py",
    "repeated.py",
    "repeats.py",
    "report.py",
    "reproduction",
    "resuming.py",
    "rules.py",
    "sections.py",
    "signatures.py",
    "stages.py",
    "step_contradictions.py",
    "training.py",
}
KNOWN = ("torch", "torchvision", "pytorch_lightning", "descent")  # told by their version, or hashed as a whole
LONGEST_VALUE = 40
NOTHING = "none"


@dataclass(frozen=True)
class Identity:
    """`settings` are flat, `code` has a digest per file. `torch` and `device` are recorded and only warned about."""

    settings: dict[str, Any]
    epochs: int
    code: dict[str, str]
    data: str
    torch: str
    device: str
    seeds: int = 1

    @property
    def repeated(self) -> bool:
        """Whether it is of several trainings that are told together."""
        return self.seeds > 1 or (self.settings.get("folds", 1) > 1 and self.settings.get("fold") is None)


def identity_of(config: Config, data: str) -> Identity:
    """Of the training that this configuration makes from data with that digest."""
    import torch

    from descent.trainer import device_of

    counted = {key: value for key, value in flat(config.settings).items() if not _is_free(key)}
    plain = json.loads(json.dumps(mask_values(counted), default=str))
    code = {**package_code(), **custom_code(config.settings)}
    return Identity(plain, config.epochs, code, data, str(torch.__version__), device_of(config), config.seeds)


@cache
def package_code() -> dict[str, str]:
    """Digest of every file of the package that a training uses."""
    root = Path(__file__).parent
    files = sorted((file.relative_to(root), file) for file in root.rglob("*.py"))
    return {path.as_posix(): _digest(file) for path, file in files if not {path.parts[0], path.as_posix()} & NO_PART}


def custom_code(settings: Mapping[str, Any]) -> dict[str, str]:
    """Digest of the files that the user's own targets come from."""
    from hydra.utils import get_object

    files = {}
    for target in sorted(set(_targets(settings))):
        if target.split(".")[0] in KNOWN:
            continue
        try:
            source = inspect.getsourcefile(inspect.getmodule(get_object(target)) or object)
        except (TypeError, OSError):
            continue  # compiled: it has no source
        if source:
            files[f"{target.split('.')[0]}/{Path(source).name}"] = _digest(Path(source))
    return files


def differences(old: Identity, new: Identity) -> list[str]:
    """What keeps two trainings from being the same, for people: `lr 0.001 → 0.1`, `code: engine.py`. Empty: nothing."""
    found = _setting_differences(old.settings, new.settings)
    if new.epochs < old.epochs:
        found.append(f"epochs {old.epochs} → {new.epochs}")
    if new.seeds < old.seeds or (new.seeds > old.seeds and not old.repeated):
        found.append(f"seeds {old.seeds} → {new.seeds}")
    changed = {file for file in {**old.code, **new.code} if old.code.get(file) != new.code.get(file)}
    if changed:
        found.append(f"code: {', '.join(sorted(Path(file).name for file in changed))}")
    return [*found, *(["data"] if old.data != new.data else [])]


def warnings(old: Identity, new: Identity) -> list[str]:
    """What may change the last bits of numbers, and is no other training."""
    return [
        f"{name} {getattr(old, name)} → {getattr(new, name)}"
        for name in ("torch", "device")
        if getattr(old, name) != getattr(new, name)
    ]


def _is_free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        node = list(node.values())
    for item in node if isinstance(node, list) else []:
        yield from _targets(item)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _setting_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [f"{key} {before} → {after}" for key, before, after in setting_changes(old, new)]


def setting_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """One for a choice that changed, whatever else comes with it; none for what only follows another knob."""
    keys = [key for key in {**old, **new} if old.get(key, NOTHING) != new.get(key, NOTHING)]
    chosen = {key.removesuffix("._target_") for key in keys if key.endswith("._target_")}
    found: dict[str, tuple[str, str]] = {}
    for key in keys:
        node = next((node for node in chosen if key.startswith(f"{node}.")), None)
        if node is not None:
            found[node] = _class(old, node), _class(new, node)
        else:
            found[key] = _shown(old.get(key, NOTHING)), _shown(new.get(key, NOTHING))
    follows = {key for key in found if "." in key and found.get(key.rpartition(".")[2]) == found[key]}
    return [(key, *change) for key, change in found.items() if key not in follows]


def _class(settings: Mapping[str, Any], node: str) -> str:
    return str(settings.get(f"{node}._target_") or NOTHING).rpartition(".")[2]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return cut(text, LONGEST_VALUE)
