"""What is seen while a run trains."""

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from descent.callbacks import progress as module
from descent.callbacks.progress import LiveBar, PlainLines
from reference.trained import TABLE, fit, parts_of


def shown(callback_of, *overrides):
    console = Console(file=io.StringIO(), force_terminal=callback_of is LiveBar, width=200)
    config, parts = parts_of(*TABLE, "batch_size=16", *overrides)
    callback = LiveBar(console, parts.steps) if callback_of is LiveBar else PlainLines(console)
    run = fit(config, replace(parts, callbacks=[callback]))
    return run, callback, console.file.getvalue()


@pytest.mark.parametrize(("seconds", "epochs"), [(0.0, [1, 2, 3, 4]), (1e9, [1, 4])])
def test_plain_lines(seconds, epochs, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", seconds)
    run, _, text = shown(PlainLines, "epochs=4")
    lines = text.splitlines()
    assert [line.split()[1] for line in lines] == [f"{epoch}/4" for epoch in epochs]
    for line, epoch in zip(lines, epochs, strict=True):
        values = dict(re.findall(r"(\S+/\S+) ([\d.]+)", line))
        assert {*values} == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
        for name, value in values.items():
            assert value == f"{dict(run.engine.history[name])[epoch - 1]:.4g}"


def test_plain_lines_show_the_epoch_that_ended_the_training(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 1e9)
    node = "regularization.early_stopping.patience=1"
    run, _, text = shown(PlainLines, "epochs=50", "lr=1e-9", "regularization=[early_stopping]", node)
    assert [line.split()[1] for line in text.splitlines()] == ["1/50", f"{run.outcome.epochs}/50"]


def test_the_metric_that_decides_is_shown():
    assert "val/f1" in shown(PlainLines, "epochs=1", "objective=val/f1")[2]


def test_an_epoch_that_a_signal_cut_short_is_not_shown():
    console = Console(file=io.StringIO())
    _, parts = parts_of(*TABLE)
    parts.engine.interrupted = 2
    trainer = SimpleNamespace(current_epoch=3, max_epochs=4, callback_metrics={}, lightning_module=parts.engine)
    lines = PlainLines(console)
    lines.on_train_epoch_end(trainer, parts.engine)
    lines.on_fit_end(trainer, parts.engine)
    assert console.file.getvalue() == ""


def test_one_epoch_is_one_line():
    assert len(shown(PlainLines, "epochs=1")[2].splitlines()) == 1


@pytest.mark.parametrize("chunk", [1, 3, 512])
def test_the_live_bar_counts_steps(chunk):
    _, bar, _ = shown(LiveBar, "epochs=3", f"loader.chunk={chunk}")
    (task,) = bar._progress.tasks
    assert (task.completed, task.total, task.fields["epoch"]) == (30, 30, "3/3")
    assert "val/accuracy" in task.fields["metrics"] and not bar._progress.live.is_started


def test_the_live_bar_keeps_the_chunk():
    run, _, _ = shown(LiveBar, "epochs=1")
    assert run.engine.recipe.feed.chunk > 1


def test_the_live_bar_is_for_terminals(monkeypatch):
    terminal, pipe = Console(force_terminal=True, file=io.StringIO()), Console(file=io.StringIO())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(module.progress(terminal, 1), LiveBar)
    assert isinstance(module.progress(pipe, 1), PlainLines)
