"""What a search explores: from the command line, from the choices' own files, from a space file."""

from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from descent import composition, door, rules, sweeping
from descent.config import parse
from descent.errors import UsageError
from hydra_plugins.descent_sweeper._pruners import MADE
from hydra_plugins.descent_sweeper._samplers import KINDS
from hydra_plugins.descent_sweeper._search import _corners
from hydra_plugins.descent_sweeper._search_space import overrides_of, parsed
from hydra_plugins.descent_sweeper._spaces import current, space_of

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("optimizer", "scheduler", "model", "regularization")
OWN = [
    (group, file.stem)
    for group in GROUPS
    for file in sorted((CONF / group).glob("*.yaml"))
    if "space:" in file.read_text()
]


def explored(*words):
    overrides = OverridesParser.create().parse_overrides(list(words))
    swept = [one for one in overrides if one.is_sweep_override()]
    fixed = [one for one in overrides if not one.is_sweep_override()]
    return space_of(swept, fixed, composition.compose)


def names(*words):
    return [parameter.name for parameter in explored(*words)]


def accepted(words):
    composed = composition.compose(words)
    own = composed.hydra.runtime.choices
    return parse(composition.without_hydra(composed), dict(own), words, one_of_many=True)


def test_a_swept_group_brings_the_spaces_of_its_choices():
    assert names("optimizer=sgd,momentum") == [
        "optimizer",
        "optimizer=sgd/lr",
        "optimizer=momentum/lr",
        "optimizer=momentum/momentum",
    ]


def test_each_of_them_exists_under_its_choice_alone():
    found = {one.name: one for one in explored("optimizer=sgd,momentum")}
    assert found["optimizer=momentum/momentum"].when == (("optimizer", ("momentum",)),)
    assert found["optimizer=momentum/momentum"].key == "optimizer.momentum"
    assert found["optimizer=momentum/lr"].key == "lr"


def test_a_fixed_value_leaves_the_space():
    assert names("optimizer=sgd,momentum", "lr=0.1") == ["optimizer", "optimizer=momentum/momentum"]


def test_a_swept_value_replaces_what_a_choice_brings():
    found = explored("optimizer=sgd,momentum", "lr=interval(0.1,1)")
    assert [one.name for one in found] == ["optimizer", "lr", "optimizer=momentum/momentum"]


def test_a_list_brings_the_spaces_of_its_items():
    found = {one.name: one for one in explored("regularization=[l2],[dropout,l2],[none]")}
    assert found["regularization=l2/strength"].when == (("regularization", ("[l2]", "[dropout,l2]")),)
    assert found["regularization=dropout/p"].when == (("regularization", ("[dropout,l2]",)),)


def test_with_nothing_swept_the_current_choices_are_explored():
    assert names("optimizer=momentum", "model=linear") == ["lr", "optimizer.momentum"]


def test_a_space_file_is_explored_beside_what_is_swept():
    found = names("space=lstm", "seed=1,2")
    assert found[0] == "seed" and "model.hidden" in found


def test_a_condition_on_a_fixed_choice_is_decided():
    assert "lr" in names("space=mlp", "optimizer=adam")
    assert "lr" not in names("space=mlp", "optimizer=sgd")


def test_the_current_configuration_is_a_point():
    space = explored("optimizer=sgd,adam")
    point = current(space, composition.compose([]))
    assert point == {"optimizer": "adam", "lr": "0.001", "optimizer.betas": "[0.9,0.999]"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["space.n_trials=0", "space=mlp"], "space.n_trials: got 0, allowed int [1, inf) | null"),
        (["space=mlp", "+space.trials=3"], "space.trials: unknown key; allowed under space: n_trials parameters"),
        (["space=mlp", "space.parameters=3"], "space.parameters: got 3, allowed key: rule"),
        (["space=mlp", "+space.infeasible=x"], "space.infeasible: got x, allowed skip | refuse"),
        (["space=mlp", "space.parameters.lr='int [1, 2] if nothing=1'"], "space.lr: its condition names nothing"),
        (["space=mlp", "space.parameters.lr='int [1, 2] if lr=1'"], "space.lr: its condition depends on itself"),
    ],
)
def test_a_space_that_says_nothing_clear_is_refused(words, line):
    with pytest.raises(UsageError) as refusal:
        explored(*words)
    assert str(refusal.value).startswith(line)


def root_rules():
    return yaml.safe_load((CONF / "config.yaml").read_text())["allowed"]


@pytest.mark.parametrize(("group", "choice"), OWN)
def test_every_end_of_a_choices_space_is_allowed_by_the_door(group, choice):
    node = yaml.safe_load((CONF / group / f"{choice}.yaml").read_text())
    node = node["optimizer"] if group == "optimizer" else node
    for name, rule in node["space"].items():
        parameter, own = parsed(name, str(rule)), str(node["allowed"].get(name, "follows"))
        allowed = root_rules()[name] if own.startswith("follows") else own
        for text in parameter.choices or (
            parameter.written(parameter.at(0.0)),
            parameter.written(parameter.at(1 - 1e-12)),
        ):
            rules.check(allowed, OverridesParser.create().parse_override(f"key={text}").value())


@pytest.mark.parametrize("file", sorted((CONF / "space").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_end_of_a_space_file_is_allowed_by_the_door(file):
    first, second, *_ = file.read_text().splitlines()
    assert first == "# @package _global_" and f"space={file.stem}" in second
    for point in _corners(explored(f"space={file.stem}")):
        assert accepted([f"space={file.stem}", *overrides_of(point)])


@pytest.mark.parametrize("choice", sorted(file.stem for file in (CONF / "search").glob("*.yaml")))
def test_every_search_composes(choice):
    assert accepted([f"search={choice}"]).sweep["search"]["refit"] is False


def test_every_search_and_pruner_has_a_maker():
    assert {file.stem for file in (CONF / "search").glob("*.yaml")} == set(KINDS)
    assert {file.stem for file in (CONF / "pruner").glob("*.yaml")} == set(MADE)


@pytest.mark.parametrize("choice", sorted(MADE))
def test_every_pruner_is_made_from_its_knobs(choice):
    extra = ["pruner.lower=0"] if choice == "threshold" else []
    knobs = accepted([f"pruner={choice}", *extra]).sweep["pruner"]
    assert MADE[choice]({**knobs, "looks": 9})


def test_the_sweeps_knobs_are_those_of_its_file():
    node = yaml.safe_load((CONF / "sweep" / "default.yaml").read_text())
    assert {key for key in node if key not in ("defaults", "allowed")} == set(sweeping.KNOBS) == set(node["allowed"])
    assert door.typed(composition.compose([])).sweep["workers"] == 1
