"""A finished run as it was: its configuration, its data by the same code, and the weights that it reports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor, nn

from descent import assembly, composition, place, rules
from descent.config import Config, parse, project_root
from descent.data.split import Data, Split
from descent.errors import DataError, UsageError
from descent.finding import WEIGHTS, meant, runs_under
from descent.outcome import Outcome, weights_digest
from descent.place import Place
from descent.recipe import Recipe
from descent.record import outcome_of
from descent.reproducibility import computing
from descent.tracking.outbox import stored_id
from descent.tracking.secrets import HIDDEN
from descent.trainer import device_of

KEY = "run"
ROWS = 1024  # a forward pass


@dataclass(frozen=True)
class Recovered:
    """The run and what it came to. `model` takes a batch of the data's inputs as they are and is in evaluation mode."""

    place: Place
    config: Config
    data: Data
    recipe: Recipe
    model: nn.Module
    outcome: Outcome
    device: torch.device
    parameters: int

    @property
    def weights(self) -> Path:
        return self.place.directory / WEIGHTS

    @property
    def threads(self) -> int:
        return self.place.threads or 1

    @property
    def is_classifier(self) -> bool:
        return self.data.task == "classification"

    def split(self, name: str) -> Split:
        """One of the parts the data was cut into, or UsageError where it has none of that name."""
        parts = {"test": self.data.test, "val": self.data.val, "train": self.data.train}
        found = parts[name]
        if found is None:
            there = " | ".join(one for one, part in parts.items() if part is not None)
            raise rules.refuse("split", name, there, "this run held out no other")
        return found

    def outputs(self, inputs: Tensor) -> Tensor:
        """The model's, on the processor, whatever the number of rows."""
        with torch.inference_mode(), computing(self.threads, True):
            return torch.cat([self.model(part.to(self.device)).cpu() for part in torch.split(inputs, ROWS)])


def recover(text: str, device: str) -> Recovered:
    """The run that the text means, ready to be measured; DataError where its data or its weights have changed."""
    run, config, outcome = known(text, device)
    assert run.identity is not None, "a finished run has one"
    data = assembly.load(config)
    if data.digest != run.identity.data:
        line = f"{config.dataset.choice}: the data has changed since this run was trained: "
        raise DataError(f"{line}{data.digest[:12]} is not {run.identity.data[:12]}; train anew")
    with computing(run.threads or 1, True):
        parts = assembly.assemble(config, data)
    engine = parts.engine.double() if config.precision == "64" else parts.engine
    _load(engine.model, run, outcome)
    there = torch.device(device_of(config))
    model = nn.Sequential(engine.scaling, engine.model).to(there).eval()
    return Recovered(run, config, data, engine.recipe, model, outcome, there, parts.parameters)


def known(text: str, device: str = "auto") -> tuple[Place, Config, Outcome]:
    """The finished run that the text means, its configuration, and what it came to."""
    run = meant(text, project_root(), stored_id, KEY)
    _refuse_parent(run)
    if not run.finished or run.identity is None:
        raise rules.refuse(KEY, text, "a finished run", f"resume={run.local_id[:8]} goes on with it")
    return run, _config_of(run, device), outcome_of(run)


def original(run: Place) -> Place | None:
    """The run itself; of a pipeline's copy the newest with these weights, None where there is none here.

    Of several with these weights it is one that was made from the same: best weights may be those of an early epoch,
    and a shorter training came to them too.
    """
    if not run.is_copy:
        return run
    weights = _weights_of(run)
    same = [one for one in runs_under(project_root()) if one.finished and _weights_of(one) == weights]
    return max(same, key=lambda one: (one.identity == run.identity, one.created), default=None)


def _weights_of(run: Place) -> str | None:
    """The digest that its results name; those of several trainings name none."""
    try:
        return str(json.loads((run.directory / run.results).read_text())["weights_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_parent(run: Place) -> None:
    """A run of several trainings has no weights of its own."""
    children = sorted(file.parent for file in run.directory.glob(f"*/{place.FILE}"))
    if children:
        first, names = children[0], " ".join(child.name for child in children)
        hint = f"run={first} is the first"
        raise UsageError(rules.cut(f"{KEY}: {run.name} is several trainings, {names}; {hint}", rules.LONGEST_LINE))


def _config_of(run: Place, device: str) -> Config:
    """As it was composed, from the run's own directory; composed anew where nothing was kept there."""
    kept = run.directory / ".hydra"
    if (kept / "hydra.yaml").exists():  # a search's trials have none
        raw = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(kept / "config.yaml")))
        runtime = cast(Any, OmegaConf.load(kept / "hydra.yaml")).hydra.runtime
        choices = runtime.choices
        _find_again(raw["dataset"], Path(runtime.cwd))
    else:
        composed = composition.compose([word for word in run.overrides if HIDDEN not in word])
        raw, choices = composition.without_hydra(composed), composed.hydra.runtime.choices
    raw["device"], raw["trainer"]["devices"], raw["resume"] = device, 1, "auto"
    if "weights" in raw["model"]:
        raw["model"]["weights"] = None  # the reported ones are loaded
    if HIDDEN in str(raw["tracking"]["uri"]):
        raw["tracking"]["uri"] = None  # the environment has to say it
    return parse(raw, dict(choices), run.overrides)


def _find_again(dataset: dict[str, Any], beginning: Path) -> None:
    """A file's relative path was meant from where the run was started; folders are relative to the project."""
    if "path" in dataset and (beginning / str(dataset["path"])).exists():
        dataset["path"] = str(beginning / str(dataset["path"]))


def _load(model: nn.Module, run: Place, outcome: Outcome) -> None:
    file = run.directory / WEIGHTS
    try:
        load_model(model, str(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        why = "not there" if isinstance(error, FileNotFoundError) else f"damaged ({type(error).__name__})"
        raise DataError(rules.cut(f"{file}: {why}; train again with resume=never", rules.LONGEST_LINE)) from None
    if weights_digest(model) != outcome.weights_sha256:
        line = f"{file}: not the weights that this run reported; train again with resume=never"
        raise DataError(rules.cut(line, rules.LONGEST_LINE))
