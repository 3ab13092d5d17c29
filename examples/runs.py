"""What the examples share: a training in this process, and the weights after each of its steps."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from descent import assembly, door
from descent.config import Config
from descent.engine import Engine
from descent.errors import Diverged
from descent.regularization.method import Method
from descent.reproducibility import computing
from descent.trainer import build_trainer


class Way(Method):
    """Keeps all weights, flat, after each step."""

    def __init__(self) -> None:
        self.points: list[np.ndarray] = []

    def after_step(self, parameters) -> None:
        self.points.append(np.concatenate([one.detach().flatten().numpy() for one in parameters]))


@dataclass(frozen=True)
class Trained:
    """`way` has a row per step, the start first; `history` a curve per metric."""

    config: Config
    parameters: int
    way: np.ndarray
    history: dict[str, list[float]]


def trained(overrides: Sequence[str]) -> Trained:
    """As `python src/train.py` with these overrides would train, without a record of it."""
    config = door.typed(door.compose([*overrides, "tracking=none", "device=cpu", "threads=1"]))
    way = Way()
    with computing(1, True), TemporaryDirectory() as scratch:
        parts = assembly.assemble(config)
        made = parts.engine
        engine = Engine(made.model, made.scaling, made.data, replace(made.recipe, methods=[*made.recipe.methods, way]))
        way.after_step(list(engine.model.parameters()))
        try:
            build_trainer(config, parts.callbacks, [], Path(scratch)).fit(engine)
        except Diverged as error:
            print(f"{config.choices['optimizer']}: {error}")
    history = {name: [value for _, value in points] for name, points in engine.history.items()}
    return Trained(config, parts.parameters, np.stack(way.points), history)


def drawn(figure, name: str) -> None:
    """To the file named first on the command line, else beside the documents."""
    given = [word for word in sys.argv[1:] if word.endswith(".png")]
    path = Path(given[0]) if given else Path(__file__).parents[1] / "docs" / "pictures" / f"{name}.png"
    figure.savefig(path, dpi=70)
    Image.open(path).convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    print(path)


def asked() -> list[str]:
    """The command line's overrides."""
    return [word for word in sys.argv[1:] if not word.endswith(".png")]
