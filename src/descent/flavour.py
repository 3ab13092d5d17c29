"""How MLflow loads a model that cannot be exported: built anew from its configuration, with the weights it had.

`_load_pyfunc` is MLflow's own name for what it calls; it gets the folder that `write` has filled.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from descent import nodes
from descent.config import Component, Config
from descent.data.scaling import Scaling
from descent.data.split import Data
from descent.durable import write_json
from descent.tasks.answering import answer
from descent.tasks.losses import outputs_for
from descent.tracking.model import Rebuilding

RECIPE, WEIGHTS = "recipe.json", "weights.safetensors"
LIBRARIES = (
    *("filelock", "hydra-core", "mlflow", "numpy", "omegaconf", "psutil", "pytorch-lightning", "rich", "safetensors"),
    *("scikit-learn", "scipy", "torch", "torchvision"),
)


def recipe(config: Config, data: Data, loss: Any) -> dict[str, Any]:
    """All that the network is built from, in plain values: what carries weights, not what trains them."""
    model = dict(config.model.settings)
    return {
        "model": {**model, **({"weights": None} if "weights" in model else {})},  # the trained ones are loaded
        "methods": [item.settings for item in config.regularization if item.target],
        "described": data.described,
        "network_outputs": outputs_for(loss, data),
        "classes": data.outputs,
        "task": data.task,
        "tokens": data.train.inputs.dtype == torch.int64,
    }


def rebuilding(made_from: Mapping[str, Any]) -> Rebuilding:
    """The same as what tracking asks for."""
    return Rebuilding(__name__, lambda module, folder: write(module, made_from, folder), sources(made_from), LIBRARIES)


def write(module: nn.Module, made_from: Mapping[str, Any], folder: Path) -> None:
    """The recipe and the weights of a module; refused by whoever loads them where they do not fit together."""
    folder.mkdir(parents=True)
    is_double = any(value.dtype == torch.float64 for value in module.state_dict().values())
    write_json(folder / RECIPE, {**made_from, "double": is_double})
    save_model(module, str(folder / WEIGHTS))


def sources(made_from: Mapping[str, Any]) -> list[Path]:
    """Code that loading needs: this package, and the user's own modules that the recipe names."""
    targets = [made_from["model"]["_target_"], *(one["_target_"] for one in made_from["methods"])]
    modules = {str(target).partition(".")[0]: None for target in targets}
    return [Path(__file__).parent, *(path for name in modules if name != "descent" for path in _own(name))]


class Served:
    """The network as MLflow's pyfunc asks it: arrays and data frames of any number of rows."""

    def __init__(self, network: nn.Module, kind: str) -> None:
        self._network, self._kind = network, kind

    def predict(self, inputs: Any, params: Mapping[str, Any] | None = None) -> npt.NDArray[Any]:
        values = inputs.to_numpy() if hasattr(inputs, "to_numpy") else inputs
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(values, dtype=self._kind))
            return np.asarray(self._network(batch).numpy())


def _load_pyfunc(path: str) -> Served:
    said = json.loads(Path(path, RECIPE).read_text())
    described = {key: tuple(value) if isinstance(value, list) else value for key, value in said["described"].items()}
    kind = "int64" if said["tokens"] else "float32"
    model: nn.Module = nodes.build("model", Component("", said["model"]), **described, outputs=said["network_outputs"])
    for settings in said["methods"]:
        nodes.build("regularization", Component("", settings)).join(model, said["classes"])
    like = torch.zeros((1, *described["input_shape"]), dtype=getattr(torch, kind))
    network = nn.Sequential(Scaling(like, "none"), model, answer(said["task"]))
    network = network.double() if said["double"] else network
    load_model(network, str(Path(path, WEIGHTS)))
    return Served(network.eval(), kind)


def _own(name: str) -> Sequence[Path]:
    """Of a module that is no installed package: its file, or its folder."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or Path(file).is_relative_to(sys.prefix) or Path(file).is_relative_to(sys.base_prefix):
        return []
    return [Path(file).parent if Path(file).name == "__init__.py" else Path(file)]
