"""params.yaml's sections as overrides: what Hydra reads back is what stands there."""

import json
import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from descent import sections
from descent.errors import UsageError

VALUES = [1, 0.001, 1e-5, -3, True, False, None, "adam", "16", "1e-3", "null", "True", "", "a b", "it's", 'say "x"']
VALUES += ["a,b", "[1]", "{a:b}", "x=1", "a\\", "\\'", "ключ", "~/data (1)/t.csv", "#no", "a: b", "$HOME", "-m", "!x"]
VALUES += [[], [1, [2, 3]], ["a, b", None, 1.5], [{"lr": 0.1, "a.b": "c d"}]]


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content):
        text = content if isinstance(content, str) else json.dumps(content)  # which is YAML, too
        (tmp_path / "params.yaml").write_text(text)

    yield write
    sections.asked([])


def read_back(word):
    override = OverridesParser.create().parse_override(word)
    assert not override.is_sweep_override(), word
    return override.value()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value, params):
    params({"train": {"key": value}})
    assert read_back(sections.with_overrides(["train"], [])[0]) == value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x85\u2028\u2029"), max_size=20))
def test_any_text_comes_back(text):
    word = sections._override("key", text)
    assert read_back(word).replace("\\${", "${") == text


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"lr": 0.1, "epochs": 3}, ["lr=0.1", "epochs=3"]),
        ({"model": {"choice": "cnn", "channels": [4, 8]}}, ["model=cnn", "model.channels=[4,8]"]),
        (
            {"regularization": {"l2": {"weight": 0.1}, "choice": ["l2"]}},
            ["regularization=[l2]", "regularization.l2.weight=0.1"],
        ),
        ({"dataset": {"cache": None}}, ["dataset.cache=null"]),
        ({"tags": {"arm": "a b"}}, ["tags={arm:'a b'}"]),
        ({"lr": {"sweep": [0.1, 1]}}, ["lr=0.1,1"]),
        ({"name": {"sweep": ["a", "b,c"]}}, ["name=a,'b,c'"]),
        ({"lr": {"sweep": "interval(0.1, 1)"}}, ["lr=interval(0.1, 1)"]),
        ({"model.hidden": [4]}, ["model.hidden=[4]"]),
        ({"trainer": {}}, ["trainer={}"]),
        (None, []),
    ],
    ids=str,
)
def test_a_section_as_overrides(section, words, params):
    params({"train": section})
    assert sections.with_overrides(["train"], []) == words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["lr=1"], ["model=cnn", "model.pool=2", "epochs=3", "lr=1"]),
        (["model=mlp"], ["lr=0.1", "epochs=3", "model=mlp"]),
        (["model.pool=3"], ["lr=0.1", "model=cnn", "epochs=3", "model.pool=3"]),
        (["+lr=1"], ["model=cnn", "model.pool=2", "epochs=3", "+lr=1"]),
    ],
    ids=str,
)
def test_the_command_line_has_the_last_word(given, words, params):
    params({"train": {"lr": 0.1, "model": {"choice": "cnn", "pool": 2}, "epochs": 3}})
    assert sections.with_overrides(["train"], given) == words


def test_a_later_section_has_the_last_word(params):
    params({"prepare": {"dataset": "iris", "seed": 1}, "train": {"dataset": "wine", "lr": 1}})
    assert sections.with_overrides(["prepare", "train"], []) == ["seed=1", "dataset=wine", "lr=1"]


def test_numbers_are_read_as_dvc_reads_them(params):
    params("train: {lr: 1e-3, weight_decay: 1e-05, epochs: 010}")
    assert sections.with_overrides(["train"], [])[:2] == ["lr=0.001", "weight_decay=1e-05"]


def test_words_of_scripts_are_not_quoted(params):
    params({"evaluate": {"run": "a b/it's", "baseline": True, "keys": ["a", 1], "json": None}})
    words = sections.with_words(["evaluate"], ["baseline=false"])
    assert words == ["run=a b/it's", "keys=[a,1]", "json=null", "baseline=false"]


@pytest.mark.parametrize(
    ("words", "names", "rest"),
    [
        (["--params", "train", "lr=1"], ["train"], ["lr=1"]),
        (["-m", "--params=a,b", "lr=1"], ["a", "b"], ["-m", "lr=1"]),
        (["lr=1", "--params", "a", "--params", "b"], ["a", "b"], ["lr=1"]),
        (["lr=1"], [], ["lr=1"]),
    ],
    ids=str,
)
def test_what_a_command_line_asks_for(words, names, rest):
    assert sections.asked(words) == (names, rest)


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        ("train: {}\n", "trian", "--params: got trian, allowed train; did you mean train?"),
        ("train: 3\n", "train", "params.yaml: train: got 3, allowed keys and values, one a line"),
        ("- 1\n", "train", "params.yaml: got [1], allowed a section for each stage"),
        ("a: {b: 1\nc: [\n", "a", "params.yaml: line 2: expected ',' or '}', but got ':'"),
        ("a: {lr: 1, lr: 2}\n", "a", "params.yaml: line 1: found duplicate key lr"),
    ],
)
def test_what_cannot_be_read_is_one_line(content, name, line, params):
    params(content)
    with pytest.raises(UsageError) as refusal:
        sections.with_overrides([name], [])
    assert str(refusal.value) == line


@pytest.mark.parametrize("words", [["--params"], ["--params", "-m"], ["--params="]], ids=str)
def test_no_section_is_refused(words):
    with pytest.raises(UsageError, match="--params: got "):
        sections.asked(words)


@pytest.mark.parametrize(
    ("section", "given", "line"),
    [
        ({"lrr": 0.1}, [], r"params\.yaml: train\.lrr: unknown key; .*; did you mean lr\?"),
        ({"lr": -1}, [], r"params\.yaml: train\.lr: got -1, allowed float \(0, inf\) \| find"),
        ({"tracking": "locl"}, [], r"params\.yaml: train\.tracking: got locl, allowed .*; did you mean local\?"),
        ({"model": {"choice": "mlp", "hiden": [4]}}, [], r"params\.yaml: train\.model\.hiden: unknown key; .*"),
        ({"lr": -1}, ["lr=-2"], r"lr: got -2, allowed float .*"),
        ({"lr": 0.1}, ["epochs=0"], r"epochs: got 0, .*"),
    ],
    ids=str,
)
def test_a_mistake_is_named_by_its_place(section, given, line, params, run_here, tmp_path):
    params({"train": section})
    answer = run_here(["--params", "train", *given])
    assert answer.code == 2
    assert len(answer.err.strip()) <= 200
    assert re.fullmatch(line, answer.err.strip()), answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_section_trains(params, run_here, tmp_path):
    params(
        {
            "train": {
                "epochs": 1,
                "tracking": "none",
                "model": {"choice": "mlp", "hidden": [4]},
                "lr": {"sweep": [0.1, 0.2]},
            }
        }
    )
    assert run_here(["-m", "--params", "train"]).code == 0
    assert len(list(tmp_path.glob("sweeps/*/*/results.json"))) == 2
