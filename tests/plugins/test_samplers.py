"""Draws: spread as the space says, the same whoever draws them, and of use."""

import math

import numpy as np
import optuna
import pytest
from scipy import stats
from scipy.stats import qmc

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._annealing import Anneal
from hydra_plugins.descent_sweeper._draws import Random, Sobol, distribution, reflected, share_of
from hydra_plugins.descent_sweeper._samplers import refuse_unfit, sampler_for
from hydra_plugins.descent_sweeper._search_space import drawn, parsed

optuna.logging.set_verbosity(optuna.logging.ERROR)
SQUARE = [parsed("x", "float [-2, 4]"), parsed("y", "float [1e-3, 1] log"), parsed("n", "int [1, 6]")]
MIXED = [
    parsed("optimizer", "sgd | adam"),
    parsed("momentum", "float [0, 1]", "optimizer=sgd/momentum", (("optimizer", ("sgd",)),)),
    parsed("beta", "float [0.5, 1]", "optimizer=adam/beta", (("optimizer", ("adam",)),)),
]
SETTINGS = {"random_trials": 10, "deterministic": False, "population": 10, "hot": 1.0, "cold": 0.01, "trials": 60}


def explored(parameters, choice, objective, trials, seed=0, settings=SETTINGS, direction="minimize"):
    """A study as workers make it: every trial with a sampler of its own."""
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler())
    for number in range(trials):
        study.sampler = sampler_for(choice, parameters, settings, seed, number)
        trial, values = study.ask(), {}
        for parameter in parameters:
            if parameter.exists_in(drawn(parameters, values)):
                values[parameter.name] = trial._suggest(parameter.name, distribution(parameter))
        study.tell(trial, objective(values))
    return study


@pytest.fixture(scope="module")
def random_draws():
    return explored(SQUARE, "random", lambda values: 0.0, 600)


def column(study, name):
    return [trial.params[name] for trial in study.trials if name in trial.params]


def test_uniform_draws(random_draws):
    assert stats.kstest(column(random_draws, "x"), stats.uniform(-2, 6).cdf).pvalue > 0.01


def test_logarithmic_draws(random_draws):
    assert stats.kstest(column(random_draws, "y"), stats.loguniform(1e-3, 1).cdf).pvalue > 0.01


def test_whole_draws(random_draws):
    counts = np.bincount(column(random_draws, "n"), minlength=7)[1:]
    assert stats.chisquare(counts).pvalue > 0.01


def test_columns_are_independent(random_draws):
    assert abs(stats.spearmanr(column(random_draws, "x"), column(random_draws, "y")).statistic) < 0.1


def test_conditional_draws():
    study = explored(MIXED, "random", lambda values: 0.0, 400)
    sgd = [trial for trial in study.trials if trial.params["optimizer"] == "sgd"]
    assert stats.binomtest(len(sgd), 400).pvalue > 0.01
    assert all(set(trial.params) == {"optimizer", "optimizer=sgd/momentum"} for trial in sgd)
    assert stats.kstest(column(study, "optimizer=adam/beta"), stats.uniform(0.5, 0.5).cdf).pvalue > 0.01


def test_sobol_covers_more_evenly_than_random_draws():
    def discrepancy(choice, seed):
        study = explored(SQUARE[:2], choice, lambda values: 0.0, 64, seed)
        rows = [[share_of(one, trial.params[one.name]) for one in SQUARE[:2]] for trial in study.trials]
        return qmc.discrepancy(np.clip(rows, 0, 1))

    assert np.mean([discrepancy("sobol", seed) for seed in range(3)]) < 0.3 * np.mean(
        [discrepancy("random", seed) for seed in range(3)]
    )


@pytest.mark.parametrize("choice", ["random", "sobol", "anneal"])
def test_a_draw_depends_on_seed_and_number_alone(choice):
    def points(count, seed=0):
        return [trial.params for trial in explored(SQUARE, choice, lambda values: values["x"] ** 2, count, seed).trials]

    assert points(12)[:5] == points(5)
    assert points(5) != points(5, seed=1)
    assert len({str(point) for point in points(12)}) == 12


def test_the_random_phase_is_that_of_random_search():
    wanted = [trial.params for trial in explored(SQUARE, "random", lambda values: 0.0, 10).trials]
    for choice in ("tpe", "gp", "genetic"):
        study = explored(SQUARE, choice, lambda values: values["x"], 10)
        assert [trial.params for trial in study.trials] == wanted


@pytest.mark.parametrize("choice", ["tpe", "anneal", "genetic"])
def test_conditions_are_kept(choice):
    study = explored(MIXED, choice, lambda values: sum(v for v in values.values() if isinstance(v, float)), 30)
    for trial in study.trials:
        branch = trial.params["optimizer"]
        assert set(trial.params) == {
            "optimizer",
            {"sgd": "optimizer=sgd/momentum", "adam": "optimizer=adam/beta"}[branch],
        }


@pytest.mark.parametrize(
    "rule", ["float [-2, 4]", "float [1e-3, 1] log", "int [1, 6]", "a | b | c", "int [2, 10] step 2"]
)
def test_share_of_is_the_inverse(rule):
    parameter = parsed("k", rule)
    for share in np.linspace(0.01, 0.99, 37):
        value = parameter.at(float(share))
        assert parameter.at(share_of(parameter, value)) == pytest.approx(value)


@pytest.mark.parametrize(("share", "wanted"), [(0.3, 0.3), (-0.2, 0.2), (1.3, 0.7), (2.4, 0.4), (-1.5, 0.5)])
def test_a_step_out_of_the_space_isreflected(share, wanted):
    assert reflected(share) == pytest.approx(wanted)


def test_the_temperature_falls_geometrically():
    anneal = Anneal(SQUARE, 0, start=1.0, end=0.01, trials=101)
    assert [anneal.temperature(number) for number in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.1, 0.01, 0.01])


def test_annealing_scales_with_the_objective():
    def path(scale):
        return [trial.params for trial in explored(SQUARE, "anneal", lambda v: scale * (v["x"] - 1) ** 2, 25).trials]

    assert path(1.0) == path(1e6)


@pytest.mark.parametrize("choice", ["tpe", pytest.param("gp", marks=pytest.mark.slow), "cmaes", "anneal", "genetic"])
def test_it_finds_the_bottom_of_a_bowl_better_than_random(choice):
    def bowl(values):
        return (values["x"] - 1) ** 2 + math.log(values["y"] / 0.03) ** 2

    def best(kind):
        return np.mean([math.log(explored(SQUARE[:2], kind, bowl, 40, seed).best_value) for seed in range(3)])

    assert best(choice) < best("random") - 0.5


@pytest.mark.parametrize(
    ("choice", "parameters", "objectives", "line"),
    [
        (
            "gp",
            MIXED,
            1,
            "search: got gp, allowed random | tpe | anneal | genetic | grid: optimizer=sgd/momentum exists",
        ),
        ("sobol", MIXED, 1, "search: got sobol, allowed random"),
        ("cmaes", MIXED, 1, "search: got cmaes, allowed random"),
        (
            "cmaes",
            MIXED[:1],
            1,
            "search: got cmaes, allowed random | tpe | anneal | genetic | grid | sobol | gp: optimizer",
        ),
        (
            "anneal",
            SQUARE,
            2,
            "search: got anneal, allowed grid | random | sobol | tpe | gp | genetic with several objectives",
        ),
    ],
)
def test_what_a_sampler_cannot_take_is_refused(choice, parameters, objectives, line):
    with pytest.raises(UsageError) as refusal:
        refuse_unfit(choice, parameters, objectives)
    assert str(refusal.value).startswith(line)


def test_the_classes_are_what_the_table_makes():
    assert isinstance(sampler_for("random", SQUARE, SETTINGS, 0, 0), Random)
    assert isinstance(sampler_for("sobol", SQUARE, SETTINGS, 0, 0), Sobol)
    assert isinstance(sampler_for("gp", SQUARE, SETTINGS, 0, 3), Random)
    assert isinstance(sampler_for("gp", SQUARE, SETTINGS, 0, 10), optuna.samplers.GPSampler)
