"""What `${…}` comes to, against OmegaConf's own resolution."""

import random
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from descent import door, interpolation

CONF = Path(__file__).parents[2] / "conf"
FILES = sorted(file for file in CONF.glob("*/*.yaml") if file.parent.name not in ("hydra", "sweep"))
ITEMS = sorted(file.stem for file in (CONF / "regularization").glob("*.yaml"))


@pytest.fixture(scope="module")
def default():
    return {**door.without_hydra(door.compose()), "lr": 0.1}


def by_omegaconf(raw):
    return OmegaConf.to_container(OmegaConf.create(raw), resolve=True, throw_on_missing=True)


def quickly(raw):
    """Without the way out that asks OmegaConf."""
    return interpolation._value(raw, raw, 0)


def chosen(raw, file):
    """Roughly as Hydra puts a choice in its place: values at the root, an item under its group, or a node."""
    said = (yaml.safe_load(file.read_text()) or {}).items()
    node = {key: "given" if value == "???" else value for key, value in said if key != "defaults"}
    if file.read_text().startswith("# @package _global_"):
        return {**raw, **{key: value for key, value in node.items() if not isinstance(raw.get(key), dict)}}
    if file.parent.name == "regularization":
        return {**raw, "regularization": {**raw["regularization"], file.stem: node}}
    return {**raw, file.parent.name: {**(raw.get(file.parent.name) or {}), **node}}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_choice_is_resolved_quickly_and_alike(default, file):
    raw = chosen(default, file)
    assert repr(quickly(raw)) == repr(by_omegaconf(raw))


def test_random_points_are_resolved_alike(default):
    chance = random.Random(0)
    for _ in range(20):
        raw = interpolation.copied(default)
        files = [CONF / "regularization" / f"{name}.yaml" for name in chance.sample(ITEMS, 4)]
        for file in [chance.choice(FILES), *files]:
            raw = chosen(raw, file)
        raw |= {"lr": chance.choice([0.1, 1, "find", None]), "weight_decay": chance.random(), "epochs": 3}
        assert repr(interpolation.resolved(raw)) == repr(by_omegaconf(raw))


@pytest.mark.parametrize(
    "value",
    [
        "${a.b}",
        "${a}",
        "${a.none}",
        "${a.items}",
        "${way}",
        "${oc.select:a.b,2}",
        "${oc.select:a.none,word}",
        "${oc.select:a.missing,word}",
        "${oc.select:gone,word}",
        "${oc.select:gone,0.5}",
        "${oc.select:gone,null}",
        "${oc.select:gone,True}",
        "${oc.select:gone,1e-3}",
        "${oc.select:gone,${a.b}}",
        "${oc.select:gone,${oc.select:a.b,no}}",
        "${oc.select:gone}",
        "${a.items.0}",
        "${a[b]}",
        "${.a.b}",
        "${ a.b }",
        "got ${a.b}",
        "${a.b}${a.b}",
        "\\${a.b}",
        "\\\\${a.b}",
        "${through.b}",
        "$a.b",
        "",
        float("inf"),
        ["${a.b}", {"deep": ["${a.word}"]}],
    ],
)
def test_all_else_comes_to_the_same(value):
    a = {"b": 1, "none": None, "items": [1, "${a.word}"], "word": "w", "missing": None}
    raw = {"a": a, "way": "${other}", "other": "${a.b}", "through": "${a}", "it": value}
    assert repr(interpolation.resolved(raw)) == repr(by_omegaconf(raw))


@pytest.mark.parametrize("value", ["${gone}", "${a.gone}", "${it}", "???", "${missing}", "${a.b.c}", "${", "${x:1}"])
def test_what_comes_to_nothing_is_refused_alike(value):
    raw = {"a": {"b": 1}, "missing": "???", "it": value}
    raw = raw if value == "${missing}" else {key: one for key, one in raw.items() if key != "missing"}
    with pytest.raises(OmegaConfBaseException) as ours:
        interpolation.resolved(raw)
    with pytest.raises(OmegaConfBaseException) as theirs:
        by_omegaconf(raw)
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


def test_nothing_is_shared_with_what_was_given():
    raw = {"a": {"b": [1, 2]}, "c": "${a.b}"}
    found = interpolation.resolved(raw)
    found["a"]["b"].append(3)
    assert found["c"] == [1, 2] and raw == {"a": {"b": [1, 2]}, "c": "${a.b}"}
