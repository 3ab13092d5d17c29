"""How the next point is chosen. A draw is a function of the study's seed and the trial's number, never of who draws.

So a study that goes on repeats no draw, and its random phase is the same for one worker and for many.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._search_space import Parameter


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


class ByShare(BaseSampler):
    """For samplers that choose a share of the way along each parameter."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._by_name = {parameter.name: parameter for parameter in parameters}
        self._places = {parameter.name: place for place, parameter in enumerate(parameters)}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._by_name[param_name].at(self.share(study, trial, param_name))

    def share(self, study: Study, trial: FrozenTrial, name: str) -> float:
        """From 0 to below 1."""
        raise NotImplementedError


class Random(ByShare):
    """Independent draws; a parameter's do not depend on which others exist."""

    def __init__(self, parameters: Sequence[Parameter], seed: int) -> None:
        super().__init__(parameters)
        self._seed = seed

    def share(self, study: Study, trial: FrozenTrial, name: str) -> float:
        return float(np.random.default_rng(seed_of(self._seed, trial.number, name)).random())


class Sobol(ByShare):
    """A scrambled Sobol sequence, the trial's number being the place in it."""

    def __init__(self, parameters: Sequence[Parameter], seed: int) -> None:
        super().__init__(parameters)
        self._seed = seed

    def share(self, study: Study, trial: FrozenTrial, name: str) -> float:
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self._places), scramble=True, rng=np.random.default_rng(self._seed))
        if trial.number:
            sequence.fast_forward(trial.number)
        return float(sequence.random(1)[0, self._places[name]])


class Anneal(ByShare):
    """Simulated annealing, replayed from the finished trials in the order of their numbers.

    A step moves each parameter from where the chain stands, the less far the cooler it is. A worse point is accepted
    with probability exp(-worsening / temperature); the temperature is a falling share of the spread that has been seen,
    so that it needs no knowledge of the objective's unit.
    """

    def __init__(self, parameters: Sequence[Parameter], seed: int, start: float, end: float, trials: int) -> None:
        super().__init__(parameters)
        self._seed, self._start, self._end, self._trials = seed, start, end, trials

    def temperature(self, number: int) -> float:
        """As a share of the spread, falling geometrically over the planned trials."""
        progress = min(number / max(self._trials - 1, 1), 1.0)
        return float(self._start * (self._end / self._start) ** progress)

    def share(self, study: Study, trial: FrozenTrial, name: str) -> float:
        random = np.random.default_rng(seed_of(self._seed, trial.number, name))
        standing = self._standing(study)
        parameter = self._by_name[name]
        if standing is None or name not in standing.params:
            return float(random.random())
        width = max(self.temperature(trial.number), 0.02)
        if parameter.kind == "choice":
            return float(random.random()) if random.random() < width else share_of(parameter, standing.params[name])
        moved = share_of(parameter, standing.params[name]) + width * random.standard_normal() / 2
        return _reflected(float(moved))

    def _standing(self, study: Study) -> FrozenTrial | None:
        """Where the chain of accepted points has come to."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        known = [one for one in finished if one.value is not None and math.isfinite(one.value)]
        if not known:
            return None
        costs = [sign * float(one.value) for one in known if one.value is not None]
        spread = float(np.subtract(*np.percentile(costs, [75, 25]))) or float(np.ptp(costs)) or 1.0
        at, cost = known[0], costs[0]
        for one, its_cost in zip(known[1:], costs[1:], strict=True):
            chance = float(np.random.default_rng(seed_of(self._seed, one.number, "accept")).random())
            if its_cost <= cost or chance < math.exp((cost - its_cost) / (self.temperature(one.number) * spread)):
                at, cost = one, its_cost
        return at


def share_of(parameter: Parameter, value: Any) -> float:
    """The inverse of Parameter.at, in the middle of what comes to the same value."""
    if parameter.kind == "choice":
        return (parameter.choices.index(value) + 0.5) / len(parameter.choices)
    half = 0.5 * (parameter.step or 1) if parameter.kind == "int" or parameter.step else 0.0
    low, high, value = parameter.low - half, parameter.high + half, float(value)
    if parameter.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))


def _reflected(share: float) -> float:
    """Back inside 0 to 1 as from a mirror at each end."""
    folded = share % 2.0
    return min(2.0 - folded if folded > 1.0 else folded, 1.0 - 1e-12)


@dataclass(frozen=True)
class Kind:
    """What a sampler can take, and how it is made from (parameters, settings, seed)."""

    make: Callable[[Sequence[Parameter], dict[str, Any], int], BaseSampler]
    conditional: bool = True
    choices: bool = True
    several_objectives: bool = True
    random_phase: bool = False  # whether its first trials are drawn at random


def _tpe(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=0, multivariate=True, group=True, constant_liar=True)


def _gp(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=0, deterministic_objective=bool(settings["deterministic"]))


def _cmaes(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return CmaEsSampler(seed=seed, n_startup_trials=0, sigma0=None, warn_independent_sampling=False)


def _genetic(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=int(settings["population"]))


def _anneal(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return Anneal(parameters, seed, settings["hot"], settings["cold"], settings["trials"])


KINDS = {
    "grid": Kind(lambda parameters, settings, seed: Random(parameters, seed)),
    "random": Kind(lambda parameters, settings, seed: Random(parameters, seed)),
    "sobol": Kind(lambda parameters, settings, seed: Sobol(parameters, seed), conditional=False),
    "tpe": Kind(_tpe, random_phase=True),
    "gp": Kind(_gp, conditional=False, random_phase=True),
    "cmaes": Kind(_cmaes, conditional=False, choices=False, several_objectives=False, random_phase=True),
    "anneal": Kind(_anneal, several_objectives=False),
    "genetic": Kind(_genetic, random_phase=True),
}


def refuse_unfit(choice: str, parameters: Sequence[Parameter], objectives: int) -> None:
    """A space or an objective that the sampler cannot take, in one line."""
    kind = KINDS[choice]
    conditional = [parameter for parameter in parameters if parameter.when]
    chosen = [parameter for parameter in parameters if parameter.kind == "choice"]
    able = "random | tpe | anneal | genetic | grid"
    if conditional and not kind.conditional:
        name, when = conditional[0].name, conditional[0].when[0]
        raise UsageError(f"search: got {choice}, allowed {able}: {name} exists only with {when[0]}={'|'.join(when[1])}")
    if chosen and not kind.choices:
        raise UsageError(f"search: got {choice}, allowed {able} | sobol | gp: {chosen[0].name} is a choice, no number")
    if objectives > 1 and not kind.several_objectives:
        raise UsageError(
            f"search: got {choice}, allowed grid | random | sobol | tpe | gp | genetic with several objectives"
        )


def sampler_for(
    choice: str, parameters: Sequence[Parameter], settings: dict[str, Any], seed: int, number: int
) -> BaseSampler:
    """What draws trial `number`."""
    kind = KINDS[choice]
    if kind.random_phase and number < settings.get("random_trials", 0):
        return Random(parameters, seed)
    own = seed if choice in ("random", "sobol", "anneal", "grid") else seed_of(seed, number)
    with optuna_quiet():
        return kind.make(parameters, settings, own)


class optuna_quiet:
    """Optuna marks good parts as experimental; users of a released sweep need not be told."""

    def __enter__(self) -> None:
        import warnings

        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

    def __exit__(self, *error: object) -> None:
        self._caught.__exit__(None, None, None)
