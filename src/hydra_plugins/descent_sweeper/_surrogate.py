"""What the Gaussian process that chooses a gp search's trials believes, over its one and two most important parameters.

Optuna has no public way to its model; what is taken of `optuna._gp` stands here alone, and fits as its sampler does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from descent import trials
from hydra_plugins.descent_sweeper._samplers import distribution
from hydra_plugins.descent_sweeper._search_space import Parameter

ALONG, ACROSS = 120, 40  # places along one parameter, and along each of two
FEWEST_TRIALS = 4

studies, surrogates = trials.studies, trials.surrogates


class Surrogate:
    """Fitted to finished trials of one objective, in the objective's own unit."""

    def __init__(
        self, parameters: Sequence[Parameter], finished: Sequence[FrozenTrial], minimize: bool, exact: bool
    ) -> None:
        from optuna._gp import gp, prior
        from optuna._gp.search_space import SearchSpace

        self._distributions: dict[str, BaseDistribution] = {one.name: distribution(one) for one in parameters}
        self._space = SearchSpace(self._distributions)
        self._sign = -1.0 if minimize else 1.0
        scores = self._sign * np.array([float(one.value or 0.0) for one in finished])
        self._middle, self._spread = float(scores.mean()), float(scores.std()) or 1.0
        self._model = gp.fit_kernel_params(
            X=self._space.get_normalized_params(list(finished)),
            Y=(scores - self._middle) / self._spread,
            is_categorical=self._space.is_categorical,
            log_prior=prior.default_log_prior,
            minimum_noise=prior.DEFAULT_MINIMUM_NOISE_VAR,
            deterministic_objective=exact,
        )

    def at(self, points: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the belief at points of the space."""
        import torch

        places = self._places(points)
        with torch.no_grad():
            mean, variance = self._model.posterior(torch.from_numpy(places))
        means = self._sign * (mean.numpy() * self._spread + self._middle)
        return means, np.sqrt(np.maximum(variance.numpy(), 0.0)) * self._spread

    def _places(self, points: Sequence[dict[str, Any]]) -> np.ndarray:
        made = [
            optuna.trial.create_trial(params=point, distributions=self._distributions, value=0.0) for point in points
        ]
        return np.asarray(self._space.get_normalized_params(made))


def beliefs(
    parameters: Sequence[Parameter], finished: Sequence[FrozenTrial], study: Any, exact: bool
) -> list[surrogates.Belief]:
    """Along the most important parameter, and over the two most important ones; none where trials are few."""
    if len(finished) < FEWEST_TRIALS or len(study.objectives) > 1:
        return []
    minimize = study.sign() > 0
    known = Surrogate(parameters, finished, minimize, exact)
    best = min(finished, key=lambda one: (study.sign() * float(one.value or 0.0), one.number))
    by_name = {one.name: one for one in parameters}
    order = [by_name[one.name] for one in study.by_importance()]
    found = [_belief(known, study, best, order[:1], ALONG, minimize)]
    return found + ([_belief(known, study, best, order[:2], ACROSS, minimize)] if len(order) > 1 else [])


def _belief(
    known: Surrogate, study: Any, best: FrozenTrial, over: Sequence[Parameter], cells: int, minimize: bool
) -> surrogates.Belief:
    values = [_values_along(one, cells) for one in over]
    points = [{**best.params, over[0].name: first} for first in values[0]]
    if len(over) == 2:
        points = [{**point, over[1].name: second} for second in values[1] for point in points]
    mean, deviation = known.at(points)
    improvement = surrogates.expected_improvement(mean, deviation, float(best.value or 0.0), minimize)
    shape = tuple(len(along) for along in values[::-1])
    dimensions = {one.name: one for one in study.dimensions}
    places = [
        [float(place) for place in range(len(along))] if one.kind == "choice" else [float(value) for value in along]
        for one, along in zip(over, values, strict=True)
    ]
    return surrogates.Belief(
        tuple(dimensions[one.name] for one in over),
        tuple(places),
        mean.reshape(shape),
        deviation.reshape(shape),
        improvement.reshape(shape),
    )


def _values_along(parameter: Parameter, cells: int) -> list[Any]:
    """From end to end of what is explored; each value of a parameter that has few."""
    spread = [parameter.at(min((place + 0.5) / cells, 1.0)) for place in range(cells)]
    if parameter.kind == "choice":
        return list(parameter.choices)
    return sorted(dict.fromkeys(spread))
