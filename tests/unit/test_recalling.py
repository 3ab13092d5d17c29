"""`resume=<run>` on the command line becomes the run's own command line and directory."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from descent import place
from descent.errors import UsageError
from descent.recalling import named, recalled


@pytest.fixture
def run(tmp_path, composed):
    directory = tmp_path / "runs" / "day" / "odd 'name' ${x}, (a)=b"
    directory.mkdir(parents=True)
    return place.begin(directory, composed("lr=0.5", "optimizer=sgd", "name=mine"))


def values(words):
    parser = OverridesParser.create()
    return [(override.key_or_group, override.value()) for override in map(parser.parse_override, words)]


def test_its_own_come_first(run, tmp_path):
    said = values(recalled(["resume=mine", "epochs=40"], tmp_path))
    directory = str(run.directory).replace("${", "\\${")  # not interpolated by OmegaConf
    assert said == [
        ("lr", 0.5),
        ("optimizer", "sgd"),
        ("name", "mine"),
        ("hydra.run.dir", directory),
        ("epochs", 40),
        ("resume", "mine"),
    ]


def test_what_is_given_again_takes_its_place(run, tmp_path):
    said = values(recalled(["lr=0.1", "resume=mine"], tmp_path))
    assert [pair for pair in said if pair[0] == "lr"] == [("lr", 0.1)]


def test_what_was_masked_is_not_given_back(tmp_path, composed):
    (tmp_path / "a").mkdir()
    place.begin(tmp_path / "a", composed("tags={api_key:hunter22x}", "lr=0.5"))
    assert [word for word in recalled([f"resume={tmp_path / 'a'}"], tmp_path) if "tags" in word] == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], None),
        (["lr=1"], None),
        (["resume=auto"], None),
        (["resume=never"], None),
        (["resume='never'"], None),
        (["resume=null"], None),
        (["resume=[a]"], None),
        (["resume="], None),
        (["resume=a,b"], None),
        (["resume='unclosed"], None),
        (["resume=abc"], "abc"),
        (["++resume=abc"], "abc"),
        (["resume='a b'"], "a b"),
        (["resume=/x/y"], "/x/y"),
        (["resume=00123456"], "00123456"),
        (["resume=12345e67"], "12345e67"),
        (["resume=a", "resume=b"], "b"),
        (["resume=a", "resume=auto"], None),
    ],
)
def test_which_run_is_named(words, text):
    assert named(words) == text


def test_nothing_named_changes_nothing(tmp_path):
    assert recalled(["lr=1", "resume=auto"], tmp_path) == ["lr=1", "resume=auto"]


def test_another_directory_is_refused(run, tmp_path):
    with pytest.raises(UsageError) as refusal:
        recalled(["resume=mine", f"hydra.run.dir={tmp_path}"], tmp_path)
    assert str(refusal.value).startswith("hydra.run.dir: got ")


def test_its_own_directory_may_be_named(tmp_path, composed):
    (tmp_path / "a").mkdir()
    place.begin(tmp_path / "a", composed())
    assert recalled([f"resume={tmp_path / 'a'}", f"hydra.run.dir={tmp_path / 'a'}"], tmp_path)


def test_a_process_that_only_follows_has_its_own_directory(run, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert [word for word in recalled(["resume=mine"], tmp_path) if word.startswith("hydra")] == []
