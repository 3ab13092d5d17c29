"""Parameters from rules and sweeps, their draws, and what is no parameter."""

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from scipy import stats

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._search_space import (
    Parameter,
    drawn,
    every_point,
    from_override,
    is_same,
    named,
    parsed,
    size,
)

SHARES = (np.arange(4000) + 0.5) / 4000


def swept(text: str) -> Parameter:
    return from_override(OverridesParser.create().parse_override(text))


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("float [1e-5, 1e-1] log", Parameter("k", "k", "float", 1e-5, 1e-1, True)),
        ("float [0, 1]", Parameter("k", "k", "float", 0.0, 1.0)),
        ("float [0, 1] step 0.25", Parameter("k", "k", "float", 0.0, 1.0, False, 0.25)),
        ("float (0, 1]", Parameter("k", "k", "float", 1e-6, 1.0)),
        ("float [0, 1)", Parameter("k", "k", "float", 0.0, 1 - 1e-6)),
        ("int [1, 4]", Parameter("k", "k", "int", 1.0, 4.0)),
        ("int [16, 256] log", Parameter("k", "k", "int", 16.0, 256.0, True)),
        ("relu | tanh", Parameter("k", "k", "choice", choices=("relu", "tanh"))),
        ("relu | relu | tanh", Parameter("k", "k", "choice", choices=("relu", "tanh"))),
        ("int [1, 4] if a=x|y", Parameter("k", "k", "int", 1.0, 4.0, when=(("a", ("x", "y")),))),
        ("int [1, 4] if a=x and b=1", Parameter("k", "k", "int", 1.0, 4.0, when=(("a", ("x",)), ("b", ("1",))))),
    ],
)
def test_a_rule_is_a_parameter(rule, wanted):
    assert parsed("k", rule) == wanted
    assert parsed("k", wanted.described) == wanted


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("float [1, 1]", "space.k: got float [1, 1], allowed a low below its high"),
        ("float [2, 1]", "space.k: got float [2, 1], allowed a low below its high"),
        ("float [0, 1] log", "k: got a logarithmic interval from 0"),
        ("float [0, inf]", "space.k: got float [0, inf], allowed a low below its high"),
        ("float [a, 1]", "space.k: got float [a, 1], allowed float [low, high]"),
        ("float", "space.k: got float, allowed float [low, high]"),
        ("int [1.5, 3]", "space.k: got int [1.5, 3], allowed whole numbers"),
        ("int (1, 9]", "space.k: got int (1, 9], allowed int [low, high], both ends"),
        ("int [1, 9] step 0.5", "space.k: got int [1, 9] step 0.5, allowed whole numbers"),
        ("float [1, 9] step 0", "space.k: got float [1, 9] step 0, allowed a step above 0"),
        ("float [1, 9] log step 1", "space.k: got float [1, 9] log step 1, allowed a step above 0, and not with log"),
        ("relu", "space.k: got relu, allowed float [low, high], int [low, high] or a | b"),
        ("", "space.k: got nothing, allowed"),
        ("a | b if c", "space.k: got the condition c, allowed key=value"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_line(rule, line):
    with pytest.raises(UsageError) as refusal:
        parsed("k", rule)
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("lr=interval(0.1,1)", Parameter("lr", "lr", "float", 0.1, 1.0)),
        ("lr=tag(log,interval(1e-4,1e-1))", Parameter("lr", "lr", "float", 1e-4, 1e-1, True)),
        ("model.width=range(16,65,16)", Parameter("model.width", "model.width", "int", 16.0, 64.0, False, 16.0)),
        ("seed=range(1,4)", Parameter("seed", "seed", "int", 1.0, 3.0)),
        ("model.width=tag(log,range(8,129))", Parameter("model.width", "model.width", "int", 8.0, 128.0, True)),
        ("optimizer=sgd,adam", Parameter("optimizer", "optimizer", "choice", choices=("sgd", "adam"))),
        (
            "regularization=[l2],[dropout,l2]",
            Parameter("regularization", "regularization", "choice", choices=("[l2]", "[dropout,l2]")),
        ),
        ("lr=1e-3,1e-2", Parameter("lr", "lr", "choice", choices=("0.001", "0.01"))),
    ],
)
def test_a_sweep_is_a_parameter(override, wanted):
    assert swept(override) == wanted


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("lr=interval(1,1)", "lr: got interval(1,1), allowed a low below its high"),
        ("lr=interval(1,0.1)", "lr: got interval(1,0.1), allowed a low below its high"),
        ("lr=tag(log,interval(0,1))", "lr: got a logarithmic interval from 0"),
        ("batch_size=tag(log,range(8,65,8))", "batch_size: got log and a step of 8, allowed one of them"),
        ("lr=tag(linear,interval(0,1))", "lr: got tag linear, allowed log | int | float"),
        ("seed=range(3,3)", "seed: got nothing to sweep"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_line(override, line):
    with pytest.raises(UsageError) as refusal:
        swept(override)
    assert str(refusal.value).startswith(line)


def test_uniform_shares_give_uniform_numbers():
    values = [parsed("k", "float [2, 5]").at(share) for share in SHARES]
    assert stats.kstest(values, stats.uniform(2, 3).cdf).statistic < 1e-3


def test_uniform_shares_give_log_uniform_numbers():
    values = [parsed("k", "float [1e-4, 1] log").at(share) for share in SHARES]
    assert stats.kstest(values, stats.loguniform(1e-4, 1).cdf).statistic < 1e-3


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("int [1, 4]", [1, 2, 3, 4]),
        ("int [2, 8] step 2", [2, 4, 6, 8]),
        ("float [0, 1] step 0.25", [0, 0.25, 0.5, 0.75, 1]),
        ("a | b | c | d", ["a", "b", "c", "d"]),
    ],
)
def test_uniform_shares_give_equal_counts(rule, values):
    drawn_values = [parsed("k", rule).at(share) for share in SHARES]
    counts = [drawn_values.count(value) for value in values]
    assert sum(counts) == len(SHARES)
    assert max(counts) - min(counts) <= 1


def test_a_logarithmic_whole_number_reaches_both_ends():
    values = [parsed("k", "int [1, 100] log").at(share) for share in SHARES]
    assert (min(values), max(values)) == (1, 100)
    assert abs(np.mean(np.array(values) <= 10) - np.log(10.5 / 0.5) / np.log(100.5 / 0.5)) < 1e-3


SPACE = [
    parsed("optimizer", "sgd | adam"),
    parsed("lr", "float [0, 1] step 0.5", "optimizer=sgd/lr", (("optimizer", ("sgd",)),)),
    parsed("optimizer.betas", "x | y", "optimizer=adam/betas", (("optimizer", ("adam",)),)),
]


def test_every_point_of_a_conditional_space_once():
    points = list(every_point(SPACE))
    assert sorted(map(str, points)) == sorted(
        map(
            str,
            [
                {"optimizer": "sgd", "lr": "0.0"},
                {"optimizer": "sgd", "lr": "0.5"},
                {"optimizer": "sgd", "lr": "1.0"},
                {"optimizer": "adam", "optimizer.betas": "x"},
                {"optimizer": "adam", "optimizer.betas": "y"},
            ],
        )
    )
    assert len(points) == size(SPACE) == 5
    assert len({str(sorted(point.items())) for point in points}) == 5


def test_the_size_of_a_huge_grid_is_known_without_its_points():
    space = [parsed(f"x{place}", "int [1, 1000000]") for place in range(6)]
    space.append(parsed("y", "a | b | c", "y", (("x0", ("5",)),)))
    assert size(space[:6]) == 10**36
    assert size([parsed("x0", "int [1, 10]"), *space[1:]]) == 9 * 10**30 + 3 * 10**30


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1e-3", "0.001", True),
        ("[64, 32]", "[64,32]", True),
        ("[1e1]", "[10]", True),
        ("adam", "adam", True),
        ("adam", "adamw", False),
        ("[1,2]", "[2,1]", False),
        ("1", "true", False),
    ],
)
def test_values_are_compared_and_not_how_they_are_written(one, other, same):
    assert is_same(one, other) is same


def test_a_given_value_is_found_among_choices_that_write_it_otherwise():
    assert named([parsed("lr", "1e-3 | 1e-2")], {"lr": "0.001"}) == {"lr": "1e-3"}


def test_a_space_with_an_interval_has_no_size():
    assert size([parsed("lr", "float [0, 1]")]) is None


def test_a_point_has_what_its_choices_leave():
    values = {"optimizer": "sgd", "optimizer=sgd/lr": 0.5, "optimizer=adam/betas": "x"}
    assert drawn(SPACE, values) == {"optimizer": "sgd", "lr": "0.5"}


def test_names_and_points_are_each_others_inverse():
    for point in every_point(SPACE):
        assert drawn(SPACE, named(SPACE, point)) == point


def test_what_lies_outside_is_left_to_be_drawn():
    assert named(SPACE, {"optimizer": "lion", "lr": "0.5"}) == {}
    assert named(SPACE, {"optimizer": "sgd", "lr": "7"}) == {"optimizer": "sgd"}
