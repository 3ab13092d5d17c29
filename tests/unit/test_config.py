"""From composed YAML to a typed Config."""

import dataclasses
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from descent import door
from descent.config import Config, flat, parse, project_root, unknown_key
from descent.errors import UsageError
from descent.rules import LONGEST_LINE


@pytest.fixture(scope="module")
def default(composed):
    return composed()


@pytest.fixture(scope="module")
def plain():
    """The composed default as plain values, for tests that change one; its `hydra` apart."""
    whole = door.compose()
    return door.without_hydra(whole), dict(whole.hydra.runtime.choices)


def test_the_default(default):
    assert (default.lr, default.epochs, default.batch_size, default.precision) == (0.001, 20, 32, "32")
    assert default.choices == {
        "model": "mlp",
        "optimizer": "adam",
        "scheduler": "constant",
        "batch_growth": "none",
        "dataset": "digits",
        "augmentation": "none",
        "loss": "cross_entropy",
        "regularization": "none",
    }
    assert (default.objective, default.direction, default.restore) == ("val/accuracy", "maximize", "best")
    assert default.monitored == {"val/accuracy"}
    assert default.tags == {}
    assert default.overrides == () and default.one_of_many is False


def test_it_is_frozen(default):
    with pytest.raises(dataclasses.FrozenInstanceError):
        default.lr = 1.0


def test_what_describes_a_knob_is_gone(default):
    assert not [path for path in flat(default.settings) if "allowed" in path or "requires" in path]


@pytest.mark.parametrize(
    ("overrides", "attribute", "value"),
    [
        (["lr=1"], "lr", 1.0),
        (["lr=1e-3"], "lr", 1e-3),
        (["batch_size=full"], "batch_size", "full"),
        (["precision=64"], "precision", "64"),
        (["tags={arm:a,n:1}"], "tags", {"arm": "a", "n": "1"}),
        (["name=7"], "name", "7"),
        (["threads=2"], "threads", 2),
        (["optimizer=adamw"], "weight_decay", 0.01),
        (["lr=${weight_decay}", "weight_decay=0.5"], "lr", 0.5),
        (["dataset=synthetic", "dataset.task=regression"], "objective", "val/loss"),
        (["dataset=synthetic", "dataset.task=regression"], "direction", "minimize"),
        (["objective=val/loss"], "direction", "minimize"),
        (["objective=val/loss", "direction=maximize"], "direction", "maximize"),
        (["dataset.val_fraction=0"], "objective", "train/loss"),
        (["dataset.val_fraction=0"], "direction", "minimize"),
        (["dataset.val_fraction=0"], "restore", "last"),
        (["lr=0.3"], "overrides", ("lr=0.3",)),
        (["lr=${weight_decay}", "weight_decay=1"], "overrides", ("lr=${weight_decay}", "weight_decay=1")),
    ],
)
def test_an_override(composed, overrides, attribute, value):
    assert getattr(composed(*overrides), attribute) == value


def test_a_recorded_list_is_sorted(composed):
    config = composed("regularization=[l2,dropout,early_stopping]")
    assert config.choices["regularization"] == "dropout+early_stopping+l2"
    assert [item.choice for item in config.regularization] == ["dropout", "early_stopping", "l2"]
    assert config.settings["model"]["dropout"] == 0.2


def test_monitors_follow_the_objective_and_its_direction(composed):
    config = composed("scheduler=plateau", "regularization=[early_stopping]", "objective=val/loss")
    assert config.monitored == {"val/loss"}
    assert config.scheduler.settings["direction"] == "minimize"
    assert config.regularization[0].settings["direction"] == "minimize"


def test_a_monitor_of_its_own_has_its_own_direction(composed):
    config = composed("regularization=[early_stopping]", "regularization.early_stopping.monitor=val/loss")
    assert config.direction == "maximize"
    assert config.regularization[0].settings["direction"] == "minimize"
    assert config.monitored == {"val/accuracy", "val/loss"}


def test_flat_keeps_lists_whole():
    assert flat({"a": {"b": [1, 2], "c": {"d": 1}}, "e": None}) == {"a.b": [1, 2], "a.c.d": 1, "e": None}


def test_the_root_is_what_the_entry_point_set(tmp_path, monkeypatch):
    monkeypatch.setenv("DESCENT_ROOT", str(tmp_path / "x" / ".."))
    assert project_root() == tmp_path


@pytest.mark.parametrize(
    ("path", "offered"),
    [
        ("lrr", "lr"),
        ("model.hiden", "model.hidden"),
        ("hidden", "model.hidden"),
        ("betas", "optimizer.betas"),
        ("optimiser", "optimizer"),
        ("optimizer.learning_rate", "lr"),
        ("qqqqqq", None),
    ],
)
def test_an_unknown_key(plain, path, offered):
    line = str(unknown_key(path, plain[0]))
    assert line.startswith(f"{path}: unknown key; allowed")
    assert len(line) <= LONGEST_LINE
    assert line.endswith(f"did you mean {offered}?") if offered else "did you mean" not in line


def test_an_unknown_key_of_any_length_is_one_line(plain):
    assert len(str(unknown_key("model." + "x" * 500, plain[0]))) <= LONGEST_LINE


def knobs(allowed, prefix=""):
    return [f"{prefix}{key}" for key, rule in allowed.items() if not str(rule).startswith("follows")]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.lists(st.integers() | st.text(max_size=9), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_of_any_knob_is_typed_or_refused_in_a_line(plain, data):
    path = data.draw(st.sampled_from(paths_of(plain[0])))
    value = data.draw(VALUES.filter(lambda value: not ((isinstance(value, str) and "${" in value) or value == "???")))
    typed_or_refused(plain, path, value)


@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}, "", -1, math.nan, None], ids=str)
def test_a_value_of_another_kind_is_typed_or_refused_at_every_knob(plain, value):
    for path in paths_of(plain[0]):
        typed_or_refused(plain, path, value)


def paths_of(values):
    paths = knobs(values["allowed"])
    for group in ("model", "optimizer", "scheduler", "dataset", "trainer", "tracking", "loader"):
        paths += knobs(values[group].get("allowed", {}), f"{group}.")
    return paths


def typed_or_refused(plain, path, value):
    values, choices = plain
    raw = OmegaConf.create(values)
    OmegaConf.update(raw, path, value, merge=False)
    try:
        config = parse(OmegaConf.to_container(raw), choices, [])
    except UsageError as refusal:
        line = str(refusal)
        assert len(line) <= LONGEST_LINE
        assert len(line.splitlines()) == 1
        assert line.partition(":")[0] in {path, "accumulate", "batch_size", "trainer.check_val_every_n_epoch"} | {
            "dataset.val_fraction",
            "dataset.test_fraction",
            "trainer.devices",
            "loader.workers",
        }
    else:
        assert isinstance(config, Config)


@pytest.mark.parametrize(
    ("norm", "items", "item"), [("batch", "[l2]", "batch_norm"), ("layer", "[batch_norm]", "layer_norm")]
)
def test_what_follows_one_of_several_names_the_item_to_choose(composed, norm, items, item):
    with pytest.raises(
        UsageError, match=rf"^model.norm: got {norm}, .*regularization.{item}.norm={norm} instead, with"
    ):
        composed(f"model.norm={norm}", f"regularization={items}")
    assert composed(f"regularization=[{item}]").model.settings["norm"] == norm
