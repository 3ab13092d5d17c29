"""The end of a sweep: best first, failures last with their logs, and commands that can be copied."""

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
    ("keys", "run", "tracking", "study", "commands"),
    [
        (["optimizer", "lr"], "/s/1", "local", "", ["compare.py by=optimizer,lr", "evaluate.py run=/s/1", "make ui"]),
        (["optimizer", "seed"], "/a b", "server", "", ["compare.py by=optimizer", "evaluate.py run='/a b'"]),
        (["seed"], "", "local", "", ["make ui"]),
        (["lr", "tags", "name"], "", "none", "", []),
        (["+model.norm"], "", "server", "tpe-1", ["compare.py by=model.norm study=tpe-1"]),
    ],
)
def test_what_to_do_next(keys, run, tracking, study, commands):
    found = [
        one.removeprefix("python src/").replace("'run=", "run='") for one in next_commands(keys, run, tracking, study)
    ]
    assert found == commands


def test_a_command_says_where_its_choices_lie():
    words = ["model=mine", "regularization=[l2]"]
    assert train_command(words, [], []) == "python src/train.py model=mine 'regularization=[l2]'"
    told = train_command(words, ["file:///a b"], ["/elsewhere", "main"])
    assert "file:///a b" in told and "--config-path=/elsewhere --config-name=main model=mine" in told
