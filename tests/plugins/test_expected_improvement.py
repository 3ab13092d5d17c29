"""search=gp maximises expected improvement: against a Gaussian process and a closed form written in NumPy."""

import numpy as np
import optuna
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from hydra_plugins.descent_sweeper._draws import distribution
from hydra_plugins.descent_sweeper._samplers import sampler_for
from hydra_plugins.descent_sweeper._search_space import parsed

SPACE = [parsed("x", "float [-2, 4]"), parsed("y", "float [1e-3, 1] log")]
KNOBS = {"random_trials": 12, "deterministic": False}
SIDE = np.linspace(0, 1, 161)
GRID = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)


def shares(params):
    """Own scaling to the unit square."""
    return [(params["x"] + 2) / 6, np.log10(params["y"] / 1e-3) / 3]


def bowl(params):
    return (params["x"] - 1) ** 2 + np.log10(params["y"] / 0.03) ** 2


def matern(a, b, process):
    """Matérn 5/2 with a length for each axis."""
    lengths = 1 / np.sqrt(process.inverse_squared_lengthscales.numpy())
    d = np.sqrt(5) * cdist(a / lengths, b / lengths)
    return process.kernel_scale.item() * (1 + d + d**2 / 3) * np.exp(-d)


def improvement(process, points, known, values):
    """(μ - f*)Φ(z) + σφ(z), z = (μ - f*)/σ, for values to be maximised."""
    across = matern(points, known, process)
    inverse = np.linalg.inv(matern(known, known, process) + process.noise_var.item() * np.eye(len(known)))
    mean = across @ inverse @ values
    deviation = np.sqrt(process.kernel_scale.item() - np.einsum("ij,jk,ik->i", across, inverse, across))
    z = (mean - values.max()) / deviation
    return (mean - values.max()) * stats.norm.cdf(z) + deviation * stats.norm.pdf(z)


@pytest.fixture(scope="module", params=["minimize", "maximize"])
def drawn(request):
    """What the thirteenth point was chosen by, the point, and the twelve before it, scaled, to be maximised."""
    sign = -1.0 if request.param == "minimize" else 1.0
    study = optuna.create_study(direction=request.param)
    for number in range(12):
        study.sampler = sampler_for("gp", SPACE, KNOBS, 0, number)
        trial = study.ask()
        study.tell(trial, -sign * bowl(point_of(trial)))
    study.sampler = sampler_for("gp", SPACE, KNOBS, 0, 12)
    used, choose = [], study.sampler._optimize_acqf
    study.sampler._optimize_acqf = lambda acquisition, best: used.append(acquisition) or choose(acquisition, best)
    chosen = shares(point_of(study.ask()))
    values = sign * np.array([one.value for one in study.trials[:12]])
    known = np.array([shares(one.params) for one in study.trials[:12]])
    return study.sampler._gprs_cache_list[0], used[0], chosen, known, (values - values.mean()) / values.std()


def point_of(trial):
    return {one.name: trial._suggest(one.name, distribution(one)) for one in SPACE}


def test_what_is_maximised_is_the_logarithm_of_the_expected_improvement(drawn):
    process, acquisition, _, known, values = drawn
    points = np.random.default_rng(0).random((200, 2))
    ours = improvement(process, points, known, values)
    theirs = np.exp(acquisition.eval_acqf_no_grad(points))
    assert theirs == pytest.approx(ours, rel=1e-4, abs=1e-9)


def test_no_point_of_a_dense_grid_has_more_than_the_chosen_one(drawn):
    process, _, chosen, known, values = drawn
    (at_chosen,) = improvement(process, np.array([chosen]), known, values)
    on_grid = improvement(process, GRID, known, values)
    assert at_chosen >= on_grid.max() * (1 - 1e-3)
    assert on_grid.max() > 10 * np.median(on_grid)  # there is a peak to be found
