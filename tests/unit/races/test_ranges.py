"""Where bests lie: warnings that are due and none that is not, and the ranges of a next race."""

from dataclasses import replace

import pytest
import yaml

from descent.races.race import Knob
from descent.races.ranges import boundary_warnings, coverage_warnings, proposed, rule_of, space_file
from hydra_plugins.descent_sweeper._search_space import parsed
from reference.raced import KIND, LR, MOMENTUM, raced


@pytest.mark.parametrize(("lr", "said"), [(1.1e-4, "at the lower end"), (0.9, "at the upper end"), (1e-2, "")])
def test_a_best_at_an_end_is_warned_of_on_each_workload(lr, said):
    found = [one for one in boundary_warnings(raced(lr_of_best=lr)) if LR.name in one.text]
    assert [one.value for one in found] == (["a", "a"] if said else [])
    assert all(said in one.text for one in found)


def test_too_few_points_are_warned_of():
    told = [one.text for one in coverage_warnings(raced()) if one.workload == "one"]
    assert told[0] == "3 finished points; it takes 4 at least to cover momentum"
    assert not any("takes" in one.text for one in coverage_warnings(raced()) if one.value == "a")


def test_a_part_without_points_beside_the_best_is_warned_of():
    race = raced(lr_of_best=1.0)
    assert not [one for one in coverage_warnings(raced(lr_of_best=10**-3.5)) if one.value == "a"]
    assert not [one for one in coverage_warnings(race) if one.value == "a"]
    (first, *_) = [one for one in coverage_warnings(raced(points=1)) if "beside" in one.text and one.value == "a"]
    assert first.text == f"beside the best {LR.name} 50% of its range have no finished point"


def test_inside_a_range_is_narrowed_and_at_an_end_moved():
    lr, momentum, kind = proposed(raced())
    assert (lr.low, lr.high) == pytest.approx((1e-3, 1e-1))
    assert (momentum.low, momentum.high) == pytest.approx((0.75 - 0.49 / 4, 0.75 + 0.49 / 4), abs=1e-3)
    assert kind.choices == ("x",)
    (moved, *_) = proposed(raced(lr_of_best=1.0))
    assert (moved.low, moved.high) == pytest.approx((1e-2, 1e2))


@pytest.mark.parametrize(("best", "low", "high"), [(0.985, 0.74, 0.998), (0.505, 0.26, 0.745)])
def test_a_share_stays_between_0_and_1(best, low, high):
    momentum = proposed(raced(momentum_of_best=best))[1]
    assert (momentum.low, momentum.high) == pytest.approx((low, high), abs=0.01)


def test_the_next_race_is_a_space_file_whose_rules_are_read():
    space = yaml.safe_load(space_file(raced(), "python src/train.py"))["space"]
    assert space["workloads"] == ["model=mlp dataset=digits"]
    rules = {key: parsed(key, rule) for key, rule in space["parameters"].items()}
    assert rules["optimizer"].role == "scientific" and rules["optimizer"].choices == ("a", "b")
    assert (rules[LR.name].role, rules[LR.name].log) == ("nuisance", True)
    assert rules[KIND.name].role == "fixed" and rules[KIND.name].when == (("optimizer", ("b",)),)


@pytest.mark.parametrize(
    ("knob", "best", "rule"),
    [
        (replace(MOMENTUM, high=0.998), 0.99, "nuisance float [0.741, 0.9995]"),
        (replace(MOMENTUM, low=0.1, high=0.9), 0.11, "nuisance float [0.025, 0.51]"),
        (replace(MOMENTUM, low=0.0, high=0.4), 0.01, "nuisance float [0, 0.21]"),
        (replace(MOMENTUM, low=0.0, high=0.8, step=0.1), 0.4, "nuisance float [0.2, 0.6] step 0.1"),
        (Knob(MOMENTUM.name, 0, 8, kind="int"), 0, "nuisance int [0, 4]"),
        (Knob(MOMENTUM.name, 1, 9, kind="int", step=2), 1, "nuisance int [1, 5] step 2"),
    ],
)
def test_a_moved_range_stays_in_what_was_allowed(knob, best, rule):
    race = raced(momentum_of_best=best)
    (found,) = proposed(replace(race, knobs=[knob]))
    assert rule_of(found) == rule


def test_without_listed_workloads_the_file_lists_none():
    space = yaml.safe_load(space_file(replace(raced(), listed=()), ""))["space"]
    assert list(space) == ["parameters"]


def test_a_share_and_its_place_are_each_others_inverse():
    for knob in (LR, MOMENTUM, Knob("k", 3, 9, kind="int")):
        assert [knob.share(knob.at(share)) for share in (0.0, 0.3, 1.0)] == pytest.approx([0.0, 0.3, 1.0])
