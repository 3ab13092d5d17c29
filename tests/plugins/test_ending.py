"""The end of a sweep: best first, failures last with their logs, and commands that can be copied."""

from types import SimpleNamespace

import pytest

from hydra_plugins.descent_sweeper._ending import (
    MOST_FAILURES,
    Ending,
    Failure,
    Row,
    failure_lines,
    next_commands,
    show,
    train_command,
)

FAILED = Failure(3, ["lr=9", "tags={token:hunter22x}"], "loss: nan at step 7", "/s/logs/3.log")


def test_the_order_of_what_is_told(capsys):
    rows = [Row(1, ["regularization=[l2]"], ["0.9722", "0.9611"]), Row(0, ["regularization=[none]"], ["0.9"])]
    ending = Ending(
        "3 runs in /s", ["val/accuracy", "test/accuracy"], rows, [FAILED], ["stopped: timeout"], ["python x"]
    )
    show(ending)
    said = capsys.readouterr().out
    places = [said.index(word) for word in ("3 runs", "val/acc", "[l2]", "[none]", "failed: #3", "stopped", "python x")]
    assert places == sorted(places)
    assert "hunter22x" not in said


def test_without_a_finished_trial_there_is_no_table(capsys):
    show(Ending("1 runs in /s", ["val/loss"], [], [FAILED]))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 runs in /s" and said[1].startswith("failed: #3 lr=9") and len(said) == 2
    assert said[1].endswith(": loss: nan at step 7 (/s/logs/3.log)")


def test_many_failures_are_counted():
    told = failure_lines([FAILED] * (MOST_FAILURES + 5))
    assert len(told) == MOST_FAILURES + 1 and told[-1] == "and 5 more failed"


@pytest.mark.parametrize(
    ("keys", "run", "stored", "commands"),
    [
        (["a", "lr"], "/s/1", {}, ["compare.py by=a,lr study=tpe-1", "evaluate.py run=/s/1", "make ui"]),
        (["a", "seed"], "/a b", {"kind": "server"}, ["compare.py by=a study=tpe-1", "evaluate.py run='/a b'"]),
        (["seed"], "", {}, ["make ui"]),
        (["lr", "tags", "name"], "", {"kind": "none"}, []),
        (["+model.norm"], "", {"kind": "server"}, ["compare.py by=model.norm study=tpe-1"]),
        (["a"], "", {"experiment": "mine"}, ["compare.py by=a study=tpe-1 tracking.experiment=mine", "make ui"]),
        (["a"], "", {"uri": "sqlite:///x.db"}, ["compare.py by=a study=tpe-1 tracking.uri=sqlite:///x.db"]),
    ],
)
def test_what_to_do_next(keys, run, stored, commands):
    tracking = SimpleNamespace(**{"kind": "local", "uri": None, "experiment": "descent", **stored})
    found = next_commands(keys, run, tracking, "study=tpe-1")
    assert [one.removeprefix("python src/").replace("'run=", "run='") for one in found] == commands


def test_a_command_says_where_its_choices_lie():
    words = ["model=mine", "regularization=[l2]"]
    assert train_command(words, [], []) == "python src/train.py model=mine 'regularization=[l2]'"
    told = train_command(words, ["file:///a b"], ["/elsewhere", "main"])
    assert "file:///a b" in told and "--config-path=/elsewhere --config-name=main model=mine" in told
