"""What a Gaussian process expects to gain: the closed form on a grid, and a search that ends where that is little."""

import numpy as np
import pytest
import torch
from optuna.trial import TrialState
from scipy.stats import norm

from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping, little_left, still_little_left
from hydra_plugins.descent_sweeper._study import Queue

SPACE = [parsed("x", "float [0, 1]")]
KNOBS = {"random_trials": 3, "deterministic": True, "min_improvement": 1e-9}
NEVER = Stopping(maximize=False)


def searched(directory, trials, knobs, direction="minimize", scale=1.0):
    """Of a parabola; returns the study, and what came of claiming one more."""
    queue = Queue(directory, SPACE)
    queue.create([direction])
    queue.extend(trials + 1, [])
    sign = 1.0 if direction == "minimize" else -1.0
    while (claim := queue.claim("gp", knobs, 0, NEVER)) and claim.number < trials:
        queue.finish(claim, TrialState.COMPLETE, [sign * scale * (float(claim.point["x"]) - 0.3) ** 2])
    return queue, claim


def closed_form(queue, sign):
    """(f* - m) Phi(z) + s phi(z) at 4001 places, from the process's own mean and deviation."""
    values = sign * np.array([trial.value for trial in queue.trials(TrialState.COMPLETE)])
    spread = values.std()
    (process,) = queue.study.sampler._gprs_cache_list
    mean, variance = process.posterior(torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None])
    mean, deviation = mean.numpy(), np.sqrt(variance.numpy() + 1e-12)
    gain = mean - ((values - values.mean()) / spread).max()
    return float((gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)).max() * spread)


@pytest.mark.parametrize(("direction", "scale"), [("minimize", 1.0), ("maximize", 100.0)])
def test_what_is_left_is_the_greatest_expected_improvement_in_the_objectives_unit(tmp_path, direction, scale):
    queue, _ = searched(tmp_path, 4, KNOBS, direction, scale)
    expected = closed_form(queue, -1.0 if direction == "minimize" else 1.0)
    assert queue.study.sampler.left == pytest.approx(expected, rel=0.01)


def test_a_search_ends_where_little_is_left_and_its_next_trial_waits(tmp_path):
    queue, claim = searched(tmp_path, 20, {**KNOBS, "min_improvement": 0.001})
    assert claim is None
    assert queue.ended < 20
    assert queue.stopped.startswith("expected improvement left ")
    assert queue.stopped.endswith("search.min_improvement=0.001")
    assert len(queue.trials(TrialState.WAITING)) == 21 - queue.ended


def test_nothing_is_measured_where_nobody_asks(tmp_path):
    queue, _ = searched(tmp_path, 4, {**KNOBS, "min_improvement": 0.0})
    assert queue.study.sampler.left is None


def test_a_search_that_ended_so_goes_on_when_less_is_asked():
    said = little_left(0.5, {"min_improvement": 1.0})
    assert still_little_left(said, {"min_improvement": 1.0})
    assert not still_little_left(said, {"min_improvement": 0.1})
    assert not still_little_left(None, {"min_improvement": 1.0})
    assert little_left(1.0, {"min_improvement": 1.0}) is None
