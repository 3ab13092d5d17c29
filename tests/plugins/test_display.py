"""What is seen of a sweep while it runs: what is drawn, how long it says it will take, and that it leaves nothing."""

import io
import os
import sys

import pytest
from rich.console import Console

from hydra_plugins.descent_sweeper._display import Display, Forecast, Picture, Running, display, drawn, lasting
from hydra_plugins.descent_sweeper._voices import Ear, Voice

COUNTS = {"finished": 3, "pruned": 1, "failed": 0, "running": 2, "waiting": 4}
TOLD = {"done": 3, "epochs": 20, "value": 0.93126}
BUSY = [Running(4, "optimizer=sgd regularization=[l2]", TOLD), Running(5, "lr=1")]
PICTURE = Picture("best val/accuracy 0.9722  #3 lr=0.01", COUNTS, 10, 42.0, "val/accuracy", BUSY)


def lines(picture, width=100):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drawn(picture))
    return console.export_text().splitlines()


def test_it_says_the_best_the_states_and_what_each_worker_does():
    best, counts, first, second = lines(PICTURE)
    assert best == PICTURE.best
    assert counts == "3 finished, 1 pruned, 0 failed, 2 running, 4 waiting of 10; about 42 s left"
    assert first.split() == ["#4", "optimizer=sgd", "regularization=[l2]", "epoch", "3/20", "val/accuracy", "0.9313"]
    assert second.split() == ["#5", "lr=1", "begins"]


def test_a_narrow_terminal_gets_as_many_lines():
    assert len(lines(PICTURE, width=40)) == 4
    assert all(len(line) <= 40 for line in lines(PICTURE, width=40))


def test_before_anything_has_ended():
    first, second = lines(Picture("", {"waiting": 2}, 2, None, "val/loss"))
    assert (first, second) == ("best: none yet", "2 waiting of 2")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (40.4, "40 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")],
)
def test_how_long_that_is(seconds, said):
    assert lasting(seconds) == said


def test_a_forecast_goes_by_what_this_command_has_come_through():
    now = [100.0]
    forecast = Forecast(10, 4, lambda: now[0])
    assert forecast.left(4) is None
    now[0] = 106.0
    assert forecast.left(6) == pytest.approx(12)  # two in six seconds, four to go
    assert forecast.line(6) == ""  # nothing was said for six seconds only
    now[0] = 110.0
    assert forecast.line(6) == ", about 20 s left"
    assert forecast.line(7) == ""
    assert forecast.left(10) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_however_it_ends_the_terminal_is_as_before(error):
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with pytest.raises(error), Display(console, lambda: PICTURE) as draw:
        draw()
        raise error
    said = console.file.getvalue()
    assert said.index("\x1b[?25l") < said.index("10; about") < said.index("\x1b[?25h")
    assert said.endswith("\x1b[2K")  # the last line of the picture is wiped too


@pytest.mark.parametrize(("kind", "seen"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_can_be_redrawn_gets_it(monkeypatch, kind, seen):
    ours, theirs = os.openpty()
    monkeypatch.setenv("TERM", kind)
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert isinstance(display(lambda: PICTURE), Display) == seen
    os.close(ours)


def test_lines_are_enough_elsewhere(capsys):
    with display(lambda: PICTURE) as draw:
        draw()
    assert capsys.readouterr().out == ""


def test_a_leader_hears_whole_lines_and_never_waits():
    ear = Ear()
    voice = Voice(ear.other)
    assert ear.heard() == []
    voice.epoch(3, 1, 20, 0.5)
    voice.epoch(3, 2, 20, 0.6)  # at once after the first: not told
    os.write(ear.other, b'{"number": 4')
    assert ear.heard() == [{"number": 3, "done": 1, "epochs": 20, "value": 0.5}]
    os.write(ear.other, b"}\n")
    assert ear.heard() == [{"number": 4}]
    os.close(ear.handle)
    voice.say(number=5)  # nobody hears it, and nothing is raised
    os.close(ear.other)
