"""Functions whose lowest point is known, as spaces that a search explores."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hydra_plugins.descent_sweeper._search_space import Parameter, parsed

Values = Mapping[str, Any]  # a parameter's name in the study → its value


@dataclass(frozen=True)
class Landscape:
    """To be minimised. What is measured has `noise` as its standard deviation, the `value` has none."""

    title: str
    parameters: tuple[Parameter, ...]
    value: Callable[[Values], float]
    lowest: float
    noise: float = 0.0

    @property
    def conditional(self) -> bool:
        return any(parameter.when for parameter in self.parameters)

    def measured(self, value: float, seed: int, number: int) -> float:
        """What trial `number` is told: the same noise for whatever point it has drawn."""
        return value + self.noise * float(np.random.default_rng([seed, number]).standard_normal())


def _box(count: int, low: float, high: float) -> tuple[Parameter, ...]:
    return tuple(parsed(f"x{place}", f"float [{low}, {high}]") for place in range(count))


def _array(values: Values) -> np.ndarray:
    return np.array(list(values.values()), dtype=float)


CENTRE = np.array([1.3, -2.1, 3.4, 0.6, -3.7])


def sphere(values: Values) -> float:
    """Squared distance from a point that is not the middle of the box."""
    return float(np.sum((_array(values) - CENTRE) ** 2))


def branin(values: Values) -> float:
    """Three equal valleys; by its usual constants."""
    x, y = values["x"], values["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
WIDTHS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
PEAKS = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(values: Values) -> float:
    """Four bells in six dimensions; by its usual constants."""
    return float(-HEIGHTS @ np.exp(-np.sum(WIDTHS * (_array(values) - PEAKS) ** 2, axis=1)))


TILT = np.array([0.35, -0.55, 0.15, 0.7])


def bowl(values: Values) -> float:
    """A bowl four times as steep along its first axis as along its last."""
    return float(np.sum(np.array([4, 3, 2, 1]) * (_array(values) - TILT) ** 2))


RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 0.001}  # the best of each
FLOORS = {"sgd": 0.3, "momentum": 0.1, "adam": 0.0}  # what is left at it


def mixed(values: Values) -> float:
    """As tuning a network goes: each optimizer with a rate of its own, and knobs that only some have."""
    optimizer = values["optimizer"]
    cost = FLOORS[optimizer] + 0.3 * math.log10(values[f"optimizer={optimizer}/lr"] / RATES[optimizer]) ** 2
    if optimizer == "momentum":
        cost += 2.0 * (values["optimizer=momentum/momentum"] - 0.9) ** 2
    if optimizer == "adam":
        cost += 5.0 * (values["optimizer=adam/beta"] - 0.93) ** 2
    cost += 0.1 * (values["depth"] - 3) ** 2 + 0.2 * math.log2(values["width"] / 96) ** 2
    return float(cost + {"relu": 0.0, "tanh": 0.15, "sigmoid": 0.5}[values["activation"]])


def _of(optimizer: str, knob: str, rule: str) -> Parameter:
    when = (("optimizer", (optimizer,)),)
    return parsed(f"optimizer.{knob}", rule, f"optimizer={optimizer}/{knob}", when)


_MIXED = (
    parsed("optimizer", " | ".join(RATES)),
    *(_of(optimizer, "lr", "float [1e-4, 1] log") for optimizer in RATES),
    _of("momentum", "momentum", "float [0, 0.99]"),
    _of("adam", "beta", "float [0.5, 0.999]"),
    parsed("depth", "int [1, 6]"),
    parsed("width", "int [16, 512] log"),
    parsed("activation", "relu | tanh | sigmoid"),
)
LANDSCAPES = {
    "sphere": Landscape("sphere, 5 numbers", _box(5, -5, 5), sphere, 0.0),
    "branin": Landscape(
        "Branin, 2 numbers", (parsed("x", "float [-5, 10]"), parsed("y", "float [0, 15]")), branin, 0.397887
    ),
    "hartmann": Landscape("Hartmann, 6 numbers", _box(6, 0, 1), hartmann, -3.322368),
    "noisy": Landscape("noisy bowl, 4 numbers", _box(4, -1, 1), bowl, 0.0, noise=0.3),
    "mixed": Landscape("mixed and conditional, 9 parameters", _MIXED, mixed, 0.0),
}
