"""Simulated annealing as a sampler: a chain of accepted points, replayed whenever a point is wanted."""

import math
from collections.abc import Sequence

import numpy as np
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.descent_sweeper._draws import ByPoint, Mover, reflected, seed_of, share_of
from hydra_plugins.descent_sweeper._search_space import Parameter

LEAST = 0.02  # of a parameter's length, the widest step when all is cold


class Anneal(ByPoint):
    """Replayed from the finished trials in the order of their numbers.

    A step moves each parameter from where the chain stands, the less far the cooler it is. A worse point is accepted
    with probability exp(-worsening / temperature); the temperature is a falling share of the spread that has been seen,
    so that it needs no knowledge of the objective's unit.
    """

    def __init__(self, parameters: Sequence[Parameter], seed: int, start: float, end: float, trials: int) -> None:
        super().__init__(parameters, seed)
        self._start, self._end, self._trials = start, end, trials

    def temperature(self, number: int) -> float:
        """As a share of the spread, falling geometrically over the planned trials."""
        progress = min(number / max(self._trials - 1, 1), 1.0)
        return float(self._start * (self._end / self._start) ** progress)

    def mover(self, study: Study, number: int) -> Mover | None:
        standing = self._standing(study)
        if standing is None:
            return None
        at, width = standing.params, max(self.temperature(number), LEAST)

        def move(parameter: Parameter, random: np.random.Generator, boldness: float) -> float:
            if parameter.name not in at:
                return float(random.random())
            share = share_of(parameter, at[parameter.name])
            if parameter.kind == "choice":
                return float(random.random()) if random.random() < width * boldness else share
            return reflected(float(share + width * boldness * random.standard_normal() / 2))

        return move

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
            if its_cost <= cost or self._accepts((its_cost - cost) / spread, one.number):
                at, cost = one, its_cost
        return at

    def _accepts(self, worsening: float, number: int) -> bool:
        chance = float(np.random.default_rng(seed_of(self._seed, number, "accept")).random())
        return chance < math.exp(-worsening / self.temperature(number))
