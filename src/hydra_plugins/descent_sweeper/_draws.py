"""Draws by their place: how far along a parameter, and whole points that keep to the conditions."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hydra_plugins.descent_sweeper._search_space import Parameter, drawn

ATTEMPTS, BOLDER = 20, 1.3  # at a point that is new; each goes so many times further than the one before


def seed_of(seed: int, *purpose: object) -> int:
    """32 bits for one purpose."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=4)
    return int.from_bytes(digest.digest(), "little")


def distribution(parameter: Parameter) -> BaseDistribution:
    """As Optuna knows it."""
    if parameter.kind == "choice":
        return CategoricalDistribution(parameter.choices)
    if parameter.kind == "int":
        step = int(parameter.step or 1)
        return IntDistribution(int(parameter.low), int(parameter.high), parameter.log, step)
    return FloatDistribution(parameter.low, parameter.high, parameter.log, parameter.step)


def share_of(parameter: Parameter, value: Any) -> float:
    """The inverse of Parameter.at, in the middle of what comes to the same value."""
    if parameter.kind == "choice":
        return (parameter.choices.index(value) + 0.5) / len(parameter.choices)
    half = 0.5 * (parameter.step or 1) if parameter.kind == "int" or parameter.step else 0.0
    low, high, value = parameter.low - half, parameter.high + half, float(value)
    if parameter.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))


def reflected(share: float) -> float:
    """Back inside 0 to 1 as from a mirror at each end."""
    folded = share % 2.0
    return min(2.0 - folded if folded > 1.0 else folded, 1.0 - 1e-12)


class ByShare(BaseSampler):
    """For samplers that choose a share of the way along each parameter."""

    def __init__(self, parameters: Sequence[Parameter], seed: int) -> None:
        self._parameters, self._seed = tuple(parameters), seed
        self._by_name = {parameter.name: parameter for parameter in parameters}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._by_name[param_name].at(self.share(trial.number, param_name))

    def share(self, number: int, name: str) -> float:
        """From 0 to below 1: an independent draw, which does not depend on what other parameters exist."""
        return float(np.random.default_rng(seed_of(self._seed, number, name)).random())


class Random(ByShare):
    """Independent draws."""


class Sobol(ByShare):
    """A scrambled Sobol sequence, the trial's number being the place in it."""

    def share(self, number: int, name: str) -> float:
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self._by_name), scramble=True, rng=np.random.default_rng(self._seed))
        if number:
            sequence.fast_forward(number)
        return float(sequence.random(1)[0, list(self._by_name).index(name)])


class ByPoint(ByShare):
    """For samplers that choose whole points from what other trials have found.

    What is left open, because a trial's point was given in part, is drawn at random.
    """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {parameter.name: distribution(parameter) for parameter in self._parameters}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        known = study.get_trials(deepcopy=False)
        move = self.mover(study, trial.number)
        if move is None:
            return {}
        tried = [one.params for one in known if one.number != trial.number]
        for attempt in range(ATTEMPTS):
            random = np.random.default_rng(seed_of(self._seed, trial.number, attempt))
            point = self._point(move, random, BOLDER**attempt)
            if point not in tried:
                break
        return point

    def mover(self, study: Study, number: int) -> "Mover | None":
        """What chooses each parameter of this trial; None while there is nothing to go by."""
        raise NotImplementedError

    def _point(self, move: "Mover", random: np.random.Generator, boldness: float) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for parameter in self._parameters:
            if parameter.exists_in(drawn(self._parameters, values)):
                values[parameter.name] = parameter.at(move(parameter, random, boldness))
        return values


Mover = Callable[[Parameter, np.random.Generator, float], float]  # the boldness is above 1 after points that exist
