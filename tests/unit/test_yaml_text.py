"""Our YAML, read by OmegaConf, against what OmegaConf writes itself."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from descent import composition
from descent.yaml_text import yaml_of

CONF = Path(__file__).parents[2] / "conf"
CHOICES = sorted(f"{file.parent.name}={file.stem}" for file in CONF.glob("*/*.yaml") if file.parent.name != "hydra")
# Printable ones: what a command line and a YAML file can hold.
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20).filter(lambda text: "${" not in text)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
NUMBERS = ["1e-3", "1e3", ".5", "-1", "0x10", "1_000", "inf", "nan", "true", "yes", "null", "~", "", " ", "2026-11-29"]


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if not choice.startswith(("experiment=", "space="))])
def test_a_composition_is_read_back_as_it_was(choice):
    raw = composition.without_hydra(composition.compose([f"{choice}"]))
    assert OmegaConf.create(yaml_of(raw)) == OmegaConf.create(raw)
    assert yaml_of(raw) == OmegaConf.to_yaml(OmegaConf.create(raw))


@given(st.dictionaries(st.text("abc", min_size=1), st.one_of(PLAIN, st.lists(PLAIN), st.dictionaries(TEXTS, PLAIN))))
def test_values_of_all_kinds_are_read_as_what_omegaconf_writes(values):
    ours, theirs = OmegaConf.create(yaml_of(values)), OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(values)))
    assert ours == theirs == OmegaConf.create(values)


@pytest.mark.parametrize("text", NUMBERS)
def test_a_text_stays_a_text(text):
    assert OmegaConf.create(yaml_of({"a": text}))["a"] == text


def test_a_value_that_looks_alike_is_not_taken_for_one_that_was_written_before():
    alike = [1, "1", 1.0, True, "True", [1], (1,), ["1"], {"a": 1}, None, "None"]
    for value in [*alike, *reversed(alike)]:
        read = yaml.safe_load(yaml_of({"key": value}))["key"]
        assert repr(read) == repr(list(value) if isinstance(value, tuple) else value)
    changing = {"inner": {"lr": 0.1}}
    yaml_of(changing)
    changing["inner"]["lr"] = 0.2
    assert yaml.safe_load(yaml_of(changing)) == {"inner": {"lr": 0.2}}


def test_what_occurs_twice_is_written_twice_and_a_tuple_is_a_list():
    shared = [1, 2]
    assert yaml.safe_load(yaml_of({"a": shared, "b": shared, "c": (1, 2)})) == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
    assert "&" not in yaml_of({"a": shared, "b": shared})
