"""How the next point is chosen. A draw is a function of the study's seed and the trial's number, never of who draws.

So a study that goes on repeats no draw, and its random phase is the same for one worker and for many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, TPESampler

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._annealing import Anneal
from hydra_plugins.descent_sweeper._breeding import Genetic
from hydra_plugins.descent_sweeper._draws import Random, Sobol, distribution, seed_of, share_of
from hydra_plugins.descent_sweeper._search_space import Parameter


@dataclass(frozen=True)
class Kind:
    """What a sampler can take, and how it is made from (parameters, settings, seed)."""

    make: Callable[[Sequence[Parameter], dict[str, Any], int], BaseSampler]
    conditional: bool = True
    choices: bool = True
    several_objectives: bool = True
    random_phase: bool = False  # whether its first trials are drawn at random
    learns: bool = True  # whether what came of earlier trials changes what it draws


def _tpe(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=0, multivariate=True, group=True, constant_liar=True)


def _gp(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    from hydra_plugins.descent_sweeper._gaussian import Gaussian  # it imports torch

    return Gaussian(seed, bool(settings["deterministic"]), measures=settings.get("min_improvement", 0.0) > 0)


def _cmaes(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return CmaEsSampler(seed=seed, n_startup_trials=0, sigma0=None, warn_independent_sampling=False)


def _genetic(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return Genetic(parameters, seed, int(settings["population"]))


def _anneal(parameters: Sequence[Parameter], settings: dict[str, Any], seed: int) -> BaseSampler:
    return Anneal(parameters, seed, settings["hot"], settings["cold"], settings["trials"])


KINDS = {
    "grid": Kind(lambda parameters, settings, seed: Random(parameters, seed), learns=False),
    "random": Kind(lambda parameters, settings, seed: Random(parameters, seed), learns=False),
    "sobol": Kind(lambda parameters, settings, seed: Sobol(parameters, seed), conditional=False, learns=False),
    "tpe": Kind(_tpe, random_phase=True),
    "gp": Kind(_gp, conditional=False, random_phase=True),
    "cmaes": Kind(_cmaes, conditional=False, choices=False, several_objectives=False, random_phase=True),
    "anneal": Kind(_anneal, several_objectives=False),
    "genetic": Kind(_genetic, random_phase=True),
    "race": Kind(lambda parameters, settings, seed: Random(parameters, seed), several_objectives=False, learns=False),
}


OURS = ("grid", "random", "sobol", "anneal", "genetic", "race")  # these reckon with the trial's number themselves
__all__ = ["KINDS", "distribution", "refuse_unfit", "sampler_for", "seed_of", "share_of"]


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
    own = seed if choice in OURS else seed_of(seed, number)
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
