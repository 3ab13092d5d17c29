"""The ordinary way to try many settings: Hydra's own sweeper, one Lightning training after another, in one process.

python benchmarks/ordinary_multirun.py -m lr=0.001,0.01 epochs=10 hydra.sweep.dir=/tmp/somewhere

Its last line is JSON: seconds from the first training's begin to the last one's end, and how many there were.
"""

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

DEFAULTS: dict[str, Any] = {"lr": 1e-3, "epochs": 10, "batch_size": 32, "hidden": [256, 128]}
_trained: list[float] = []  # when each training began, and when the last one had ended
ConfigStore.instance().store(
    name="ordinary",
    node={**DEFAULTS, "defaults": ["_self_", {"override hydra/sweeper": "basic"}], "hydra": {"job": {"chdir": False}}},
)


@hydra.main(version_base="1.3", config_path=None, config_name="ordinary")
def main(config: DictConfig) -> None:
    import torch
    from hydra.core.hydra_config import HydraConfig
    from ordinary import ordinary, tensor_loaders
    from pytorch_lightning.loggers import MLFlowLogger
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn

    _trained.append(time.perf_counter())
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = load_digits()
    split = train_test_split(digits.data, digits.target, test_size=0.2, random_state=0, stratify=digits.target)
    inputs, targets = ([torch.as_tensor(part) for part in parts] for parts in (split[:2], split[2:]))
    scaled = [part.float() / 16.0 for part in inputs]
    widths = [64, *config.hidden]
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 10))
    loaders = tensor_loaders((scaled[0], targets[0]), (scaled[1], targets[1]), config.batch_size)
    root = Path(HydraConfig.get().sweep.dir)
    logger = MLFlowLogger("ordinary", tracking_uri=f"sqlite:///{root}/mlflow.db", artifact_location=str(root))
    logger.log_hyperparams({key: config[key] for key in DEFAULTS})
    ordinary(model, loaders, 10, config.lr, config.epochs, logger, "cpu")
    logger.finalize("success")
    _trained.append(time.perf_counter())


if __name__ == "__main__":
    main()
    print(json.dumps({"seconds": _trained[-1] - _trained[0], "trainings": len(_trained) // 2}))
