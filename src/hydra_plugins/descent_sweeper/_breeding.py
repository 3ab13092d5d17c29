"""A genetic search as a sampler: every point is a child of two of the best so far."""

from collections.abc import Sequence

import numpy as np
from optuna.samplers.nsgaii import _elite_population_selection_strategy as nsgaii
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.descent_sweeper._draws import ByPoint, Mover, reflected, share_of
from hydra_plugins.descent_sweeper._search_space import Parameter

BEYOND = 0.35  # how far outside its parents a child's number may lie, as a share of their distance
MUTATION = 0.1  # of a parameter's length, the standard deviation of a step


class Genetic(ByPoint):
    """NSGA-II's ranking, without its generations: the parents are the best `population` of all finished trials.

    So no worker waits for a generation to end, and a study goes on from its trials alone.
    """

    def __init__(self, parameters: Sequence[Parameter], seed: int, population: int) -> None:
        super().__init__(parameters, seed)
        self._population = population

    def mover(self, study: Study, number: int) -> Mover | None:
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(finished) < 2:
            return None
        elite = nsgaii.NSGAIIElitePopulationSelectionStrategy(population_size=self._population)(study, finished)
        parents: list[FrozenTrial] = []

        def move(parameter: Parameter, random: np.random.Generator, boldness: float) -> float:
            if parameter is self._parameters[0]:
                parents[:] = _tournament(elite, random), _tournament(elite, random)
            shares = [
                share_of(parameter, one.params[parameter.name]) for one in parents if parameter.name in one.params
            ]
            if not shares:
                return float(random.random())
            is_mutated = random.random() < boldness / len(parents[0].params)
            if parameter.kind == "choice":
                return float(random.random()) if is_mutated else float(random.choice(shares))
            low, high = min(shares), max(shares)
            beyond = BEYOND * (high - low)
            step = MUTATION * boldness * random.standard_normal() if is_mutated else 0.0
            return reflected(float(random.uniform(low - beyond, high + beyond) + step))

        return move


def _tournament(elite: Sequence[FrozenTrial], random: np.random.Generator) -> FrozenTrial:
    """The better of two at random: they stand in the order of their rank, then of how far from others they lie."""
    return elite[int(min(random.integers(len(elite), size=2)))]
