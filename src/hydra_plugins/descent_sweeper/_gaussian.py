"""A Gaussian process with expected improvement, and how much improvement it still expects anywhere in the space."""

import math
from typing import Any

import numpy as np
from optuna._gp.acqf import BaseAcquisitionFunc, LogEI
from optuna._gp.optim_mixed import optimize_acqf_mixed
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

SHORTEST = 1e-10  # of a spread: Optuna's own


class Gaussian(GPSampler):
    """Optuna's. With `measures`, `left` is after a draw the greatest expected improvement, in the objective's unit."""

    def __init__(self, seed: int, deterministic: bool, measures: bool) -> None:
        super().__init__(seed=seed, n_startup_trials=0, deterministic_objective=deterministic)
        self.measures = measures
        self.left: float | None = None

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        point = super().sample_relative(study, trial, search_space)
        if self.left is not None:  # so far of objectives with a spread of 1
            finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            values = [value for one in finished if (value := one.value) is not None and math.isfinite(value)]
            self.left *= max(float(np.std(values)), SHORTEST)
        return point

    def _optimize_acqf(self, acqf: BaseAcquisitionFunc, best_params: np.ndarray | None) -> np.ndarray:
        if self.measures:
            self.left = self._greatest(self._of_one(acqf), best_params)
        return super()._optimize_acqf(acqf, best_params)

    def _of_one(self, acqf: Any) -> BaseAcquisitionFunc:
        """Where others run, Optuna improves on them together: what is left is asked of the finished ones alone."""
        if isinstance(acqf, LogEI):
            return acqf
        return LogEI(gpr=self._gprs_cache_list[0], search_space=acqf.search_space, threshold=acqf._threshold)  # type: ignore[index]

    def _greatest(self, acqf: BaseAcquisitionFunc, best_params: np.ndarray | None) -> float:
        _, value = optimize_acqf_mixed(
            acqf,
            warmstart_normalized_params_array=best_params,
            n_preliminary_samples=self._n_preliminary_samples,
            n_local_search=self._n_local_search,
            tol=self._tol,
            rng=np.random.RandomState(0),  # of its own: the draw is the same, measured or not
        )
        return math.exp(float(value))
