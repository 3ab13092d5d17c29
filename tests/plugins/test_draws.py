"""Draws against closed forms, by searches that go on after an end, and without a point twice."""

import math

import numpy as np
import pytest
from optuna.trial import TrialState
from scipy import stats

from hydra_plugins.descent_sweeper._draws import Random, Sobol, share_of
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue

DRAWS = 2000
LEAST = 1e-4  # of a p-value
KNOBS = {"random_trials": 6, "deterministic": True, "population": 8, "hot": 1.0, "cold": 0.01, "trials": 30}
NUMBERS = [parsed("x", "float [-2, 4]"), parsed("y", "float [1e-3, 1] log"), parsed("z", "float [0, 1]")]
NEVER = Stopping(maximize=False)


def draws(rule, make=Random, seed=5):
    parameter = parsed("k", rule)
    sampler = make([parameter], seed)
    return [parameter.at(sampler.share(number, "k")) for number in range(DRAWS)]


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("float [-2, 4]", stats.uniform(-2, 6)),
        ("float [0.9, 0.999]", stats.uniform(0.9, 0.099)),
        ("float (0, 1)", stats.uniform(1e-6, 1 - 2e-6)),
        ("float [1e-6, 10] log", stats.loguniform(1e-6, 10)),
        ("float [2, 3] log", stats.loguniform(2, 3)),
    ],
)
def test_numbers_are_spread_as_the_rule_says(rule, wanted):
    assert stats.kstest(draws(rule), wanted.cdf).pvalue > LEAST


def logarithmic(low, high):
    """What rounding a logarithmic draw from a half below to a half above leaves to each whole number."""
    ends = np.log(np.arange(low, high + 2) - 0.5)
    return np.diff(ends) / (ends[-1] - ends[0])


@pytest.mark.parametrize(
    ("rule", "values", "chances"),
    [
        ("int [1, 6]", range(1, 7), None),
        ("int [16, 64] step 16", (16, 32, 48, 64), None),
        ("int [1, 10] step 4", (1, 5, 9), None),
        ("int [1, 9] log", range(1, 10), logarithmic(1, 9)),
        ("int [8, 20] log", range(8, 21), logarithmic(8, 20)),
        ("float [0, 1] step 0.25", (0.0, 0.25, 0.5, 0.75, 1.0), None),
        ("float [0.1, 1] step 0.4", (0.1, 0.5, 0.9), None),
        ("relu | tanh | gelu", ("relu", "tanh", "gelu"), None),
    ],
)
def test_counts_are_as_the_rule_says(rule, values, chances):
    found = draws(rule)
    counts = [found.count(value) for value in values]
    assert sum(counts) == DRAWS
    expected = None if chances is None else DRAWS * np.asarray(chances)
    assert stats.chisquare(counts, expected).pvalue > LEAST


@pytest.mark.parametrize("seed", range(3))
def test_a_sequence_is_spread_too(seed):
    assert stats.kstest(draws("float [-2, 4]", Sobol, seed)[:256], stats.uniform(-2, 6).cdf).statistic < 0.02


@pytest.mark.parametrize("rule", ["int [1, 10] step 4", "float [0.1, 1] step 0.4", "float [0, 1] step 0.1"])
def test_a_step_that_does_not_end_at_the_end_can_be_inverted(rule):
    parameter = parsed("k", rule)
    for value in sorted(set(draws(rule))):
        assert parameter.at(share_of(parameter, value)) == value


def objective(point):
    x, y, z = (float(point[name]) for name in "xyz")
    return (x - 1) ** 2 + math.log10(y / 0.03) ** 2 + (z - 0.2) ** 2


def study_of(directory, choice, sittings, total=30, space=NUMBERS):
    """The points by number; each sitting claims so many and is gone, without a word to the next."""
    queue = Queue(directory, space)
    queue.create(["minimize"])
    queue.extend(total, [])
    for count in sittings:
        queue = Queue(directory, space)
        queue.open()
        for _ in range(count):
            claim = queue.claim(choice, KNOBS, 0, NEVER)
            queue.finish(claim, TrialState.COMPLETE, [objective(claim.point)])
    return [queue.point_of(trial) for trial in queue.trials(TrialState.COMPLETE)]


@pytest.mark.parametrize("choice", ["random", "sobol", "tpe", "cmaes", "anneal", "genetic"])
def test_a_study_that_goes_on_draws_what_an_undisturbed_one_draws(tmp_path, choice):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed = study_of(tmp_path / "a", choice, [30])
    assert study_of(tmp_path / "b", choice, [3, 1, 9, 6, 11]) == undisturbed
    assert len({str(point) for point in undisturbed}) == 30


def test_gp_goes_on_without_repeating_itself(tmp_path):
    points = study_of(tmp_path, "gp", [7, 1, 1, 1], total=10)
    assert len({str(point) for point in points}) == 10


@pytest.mark.parametrize("choice", ["tpe", "gp", "genetic"])
def test_many_at_once_have_the_random_phase_of_one(tmp_path, choice):
    (tmp_path / "one").mkdir()
    alone = study_of(tmp_path / "one", choice, [6], total=6)
    queue = Queue(tmp_path, NUMBERS)
    queue.create(["minimize"])
    queue.extend(6, [])
    claims = [queue.claim(choice, KNOBS, 0, NEVER) for _ in range(6)]
    for claim in reversed(claims):
        queue.finish(claim, TrialState.COMPLETE, [objective(claim.point)])
    assert [claim.point for claim in claims] == alone


@pytest.mark.parametrize("choice", ["anneal", "genetic"])
def test_in_a_small_space_points_seldom_come_again(tmp_path, choice):
    few = [parsed("x", "1 | 2 | 3"), parsed("y", "1 | 2 | 3"), parsed("z", "1 | 2 | 3")]
    points = study_of(tmp_path, choice, [24], total=24, space=few)
    assert len({str(point) for point in points}) >= 20  # of 27; draws at random have 16


def test_a_genetic_search_begins_to_breed_where_its_random_draws_end(tmp_path):
    points = study_of(tmp_path, "genetic", [30])
    alone = [NUMBERS[0].at(Random(NUMBERS, 0).share(number, "x")) for number in range(30)]
    drawn = [float(point["x"]) == pytest.approx(x, rel=1e-3) for point, x in zip(points, alone, strict=True)]
    assert drawn == [True] * 6 + [False] * 24
