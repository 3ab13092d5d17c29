"""The engine's ratios on a GPU, with nothing installed but torch, pytorch-lightning and numpy.

python benchmarks/gpu.py                         on a GPU
python benchmarks/gpu.py --device cpu --quick    a smoke run

Configuration and tracking are left out here: the recipe is written by hand, and nobody logs to a store.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import pytorch_lightning as pl
import torch
from ordinary import ordinary, tensor_loaders
from pairing import Ratio, interleaved, quotients
from plain import plain
from torch import nn

from descent.data.loading import Feed
from descent.data.scaling import Scaling
from descent.data.split import Data, Split, split
from descent.data.synthetic import synthetic
from descent.engine import Engine
from descent.models.cnn import CNN
from descent.models.mlp import MLP
from descent.optim.schedules import Constant
from descent.recipe import Recipe
from descent.restoring import BestWeights
from descent.sizing import chunk_for, multiply_adds
from descent.tasks.losses import CrossEntropy
from descent.tasks.measures import measures_of

LR, CLASSES = 1e-3, 10
# name → image shape, training samples, batch size, epochs, model
WORK: dict[str, tuple[tuple[int, ...], int, int, int, Callable[..., nn.Module]]] = {
    "digits-size MLP": ((1, 8, 8), 1_437, 32, 100, partial(MLP, hidden=[256, 128])),
    "MNIST-size MLP": ((1, 28, 28), 60_000, 128, 5, partial(MLP, hidden=[512, 256])),
    "small CNN": ((3, 32, 32), 50_000, 128, 5, partial(CNN, channels=[32, 64])),
}


def engine(model: nn.Module, data: Data, batch_size: int, epochs: int, accelerator: str) -> float:
    """Seconds of Trainer.fit on a copy of the model, set up as the product sets it up."""
    model = copy.deepcopy(model)
    work = multiply_adds(model, data.input_shape) * batch_size
    row_bytes = 4 * data.train.inputs[0].numel()
    chunk = chunk_for(work, row_bytes, batch_size, "cuda" if accelerator == "gpu" else "cpu")
    recipe = Recipe(
        optimizer=lambda module: torch.optim.Adam(module.parameters(), lr=LR, fused=True),
        schedule=Constant(),
        methods=[],
        loss=CrossEntropy(),
        measures=measures_of(data),
        feed=Feed(batch_size, accumulate=1, chunk=chunk, drop_last=False, seed=0),
        best=BestWeights("val/accuracy", "maximize", keep=True),
        epochs=epochs,
    )
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator=accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    module = Engine(model, Scaling(data.train.inputs), data, recipe)
    started = time.perf_counter()
    trainer.fit(module)
    return time.perf_counter() - started


def compare(name: str, device: str, rounds: int, quick: bool) -> list[Ratio]:
    """The engine against the plain loop and the ordinary way."""
    shape, samples, batch_size, epochs, build = WORK[name]
    samples, epochs = (1_280, 1) if quick else (samples, epochs)
    total = round(samples / 0.8)
    source = synthetic("classification", shape, total, CLASSES, 0.0, 1.0, 0)
    data = split(source, val_fraction=0.1, test_fraction=0.1, split_seed=0)
    scaling, model = Scaling(data.train.inputs), build(input_shape=shape, outputs=CLASSES)
    accelerator = {"cuda": "gpu"}.get(device, device)

    def scaled(split: Split | None) -> tuple[torch.Tensor, torch.Tensor]:
        assert split is not None
        return scaling(split.inputs), split.targets

    train, val = scaled(data.train), scaled(data.val)
    there = [(inputs.to(device), targets.to(device)) for inputs, targets in (train, val)]
    loaders = tensor_loaders(train, val, batch_size)
    contenders = {
        "engine": lambda count: engine(model, data, batch_size, count, accelerator),
        "plain loop": lambda count: plain(copy.deepcopy(model).to(device), there[0], there[1], LR, batch_size, count),
        "ordinary Lightning": lambda count: ordinary(model, loaders, CLASSES, LR, count, False, accelerator),
    }
    interleaved({label: partial(run, 1) for label, run in contenders.items()}, 1)
    taken = interleaved({label: partial(run, epochs) for label, run in contenders.items()}, rounds)
    return [Ratio(name, label, quotients(taken[label], taken["engine"])) for label in list(taken)[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    print(f"{where}, torch {torch.__version__}, pytorch-lightning {version('pytorch-lightning')}")
    for name in WORK:
        for ratio in compare(name, options.device, 1 if options.quick else options.rounds, options.quick):
            print("  ".join(ratio.cells()), flush=True)


if __name__ == "__main__":
    main()
