"""A rate that is searched for, and minibatches that grow, as pictures: python examples/pace.py docs/pictures"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from descent import assembly, rate_search
from descent.config import Config
from descent.door import compose, typed
from descent.training import train

COMMON = ("optimizer=momentum", "epochs=15", "tracking=none", "trainer.enable_progress_bar=false", "device=cpu")
MILESTONES = "milestones=[5,10]"
RUNS = {
    "neither changes": ((), "-", "#0072B2"),
    "lr falls to a quarter": (
        ("scheduler=multistep", f"scheduler.{MILESTONES}", "scheduler.gamma=0.25"),
        "--",
        "#D55E00",
    ),
    "minibatches grow to four times": (
        ("batch_growth=milestones", f"batch_growth.{MILESTONES}", "batch_growth.factor=4"),
        "-.",
        "#009E73",
    ),
}
COLOURS = 64


def main(folder: Path) -> None:
    """Both pictures."""
    config = config_of("lr=find", "optimizer=sgd")
    save(rate_search.drawn(rate_search.search(config, assembly.load(config))), folder / "lr_find.png")
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    by_epoch, by_step = figure.subplots(1, 2, sharey=True)
    for name, (overrides, style, colour) in RUNS.items():
        losses, sizes = trained(config_of(*COMMON, *overrides))
        by_epoch.plot(losses, style, color=colour, label=name)
        by_step.plot(np.cumsum(np.ceil(1437 / sizes)), losses, style, color=colour)
    by_epoch.set(xlabel="epoch", ylabel="train/loss", yscale="log")
    by_step.set(xlabel="steps")
    by_epoch.legend(fontsize=8, frameon=False)
    save(figure, folder / "batch_growth.png")


def config_of(*overrides: str) -> Config:
    """As the command line would make it."""
    return typed(compose(overrides))


def trained(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Loss and size of the minibatches, epoch by epoch."""
    with TemporaryDirectory() as folder:
        train(config, Path(folder))
        history = json.loads((Path(folder) / "history.json").read_text())
    losses = [value for _, value in history["train/loss"]]
    sizes = [value for _, value in history.get("train/batch_size", [])] or [config.batch_size] * len(losses)
    return np.array(losses), np.array(sizes)


def save(figure: Figure, page: Path) -> None:
    """Small, as what is kept in git should be."""
    figure.savefig(page, dpi=90)
    Image.open(page).convert("RGB").quantize(COLOURS).save(page, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
