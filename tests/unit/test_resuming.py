"""What becomes of the run that a directory holds already."""

import json
import os
from dataclasses import replace

import pytest

from descent import assembly, ownership, place, record, resuming, training
from descent.errors import UsageError
from descent.identity import Identity, identity_of
from descent.place import Place
from descent.rules import LONGEST_LINE

NOW = Identity({"lr": 0.1}, 20, {"engine.py": "1"}, "data", "2", "cpu")
OTHER = replace(NOW, settings={"lr": 0.2})
QUICK = ("dataset=synthetic", "epochs=2", "tracking=none")


def run_of(tmp_path, who, state="unfinished"):
    if state == "finished":
        (tmp_path / "results.json").touch()
    return Place(tmp_path, "id", "run", "then", (), who, 1, state)


@pytest.mark.parametrize(
    ("resume", "who", "state", "kind", "line"),
    [
        ("auto", NOW, "unfinished", "continued", ""),
        ("auto", NOW, "finished", "finished", "finished before: "),
        ("auto", None, "unfinished", "untouched", ""),
        ("auto", OTHER, "unfinished", "anew", "started anew: lr 0.2 → 0.1"),
        ("auto", OTHER, "finished", "anew", "started anew: lr 0.2 → 0.1"),
        ("auto", replace(NOW, code={}), "unfinished", "anew", "started anew: code: engine.py"),
        ("auto", replace(NOW, data="x"), "finished", "anew", "started anew: data"),
        ("auto", replace(OTHER, data="x"), "finished", "anew", "started anew: lr 0.2 → 0.1; data"),
        ("auto", replace(NOW, epochs=10), "unfinished", "extended", "extended from 10 to 20 epochs: the schedule is"),
        ("auto", replace(NOW, epochs=10), "finished", "extended", "extended from 10 to 20 epochs: the schedule is"),
        ("auto", replace(NOW, epochs=40), "finished", "anew", "started anew: epochs 40 → 20"),
        ("auto", replace(OTHER, epochs=10), "finished", "anew", "started anew: lr 0.2 → 0.1"),
        ("auto", replace(NOW, torch="9", device="cuda"), "unfinished", "continued", ""),
        ("never", NOW, "unfinished", "anew", "started anew: resume=never"),
        ("never", NOW, "finished", "anew", "started anew: resume=never"),
        ("never", None, "unfinished", "anew", "started anew: resume=never"),
        ("an-id", NOW, "unfinished", "continued", ""),
        ("an-id", NOW, "finished", "finished", "finished before: "),
        ("an-id", replace(NOW, epochs=10), "finished", "extended", "extended from 10 to 20 epochs"),
    ],
)
def test_the_decision(tmp_path, resume, who, state, kind, line):
    decision = resuming.decide(resume, run_of(tmp_path, who, state), NOW)
    assert decision.kind == kind
    assert decision.line.startswith(line) and bool(decision.line) == bool(line)


@pytest.mark.parametrize("who", [OTHER, replace(NOW, epochs=40), replace(NOW, code={})])
def test_a_run_that_was_named_is_not_put_aside(tmp_path, who):
    with pytest.raises(UsageError) as refusal:
        resuming.decide("an-id", run_of(tmp_path, who), NOW)
    assert str(refusal.value).startswith("resume: an-id is another training: ")


def test_a_finished_run_without_its_results_goes_on(tmp_path):
    run = replace(run_of(tmp_path, NOW), state="finished")
    assert resuming.decide("auto", run, NOW).kind == "continued"


def test_many_differences_are_a_line(tmp_path):
    other = replace(NOW, settings={f"knob{number}": number for number in range(99)})
    assert len(resuming.decide("auto", run_of(tmp_path, other), NOW).line) == LONGEST_LINE
    with pytest.raises(UsageError) as refusal:
        resuming.decide("x" * 300, run_of(tmp_path, other), NOW)
    assert len(str(refusal.value)) == LONGEST_LINE


@pytest.fixture
def begun(tmp_path, composed):
    """A run that was cut off while it trained."""
    config = composed(*QUICK)
    with resuming.sitting(config, tmp_path / "a") as run:
        kept, _ = resuming.adopt(run, config, assembly.assemble(config))
    (tmp_path / "a" / "history.json").write_text("[]")
    return kept


def entered(config, directory):
    try:
        return resuming.enter(config, directory)
    finally:
        ownership.release_all()


def test_a_new_run_is_held_and_named(tmp_path, composed):
    with resuming.sitting(composed(*QUICK), tmp_path / "a") as run:
        assert ownership.holds(tmp_path / "a")
        assert (run.resumed, run.identity) == (0, None)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["run.json"]


def test_the_same_goes_on_as_the_same_run(begun, composed, tmp_path, capsys):
    again = entered(composed(*QUICK, "tags={arm:a}"), tmp_path / "a")
    assert (again.local_id, again.resumed, again.threads) == (begun.local_id, 1, begun.threads)
    assert again.overrides == (*QUICK, "tags={arm:a}")
    assert entered(composed(*QUICK), tmp_path / "a").resumed == 2
    assert capsys.readouterr() == ("", "")


def test_the_threads_of_the_first_sitting_are_used(begun, composed, tmp_path):
    begun.kept(threads=7)
    config = composed(*QUICK)
    with resuming.sitting(config, tmp_path / "a") as run:
        _, parts = resuming.adopt(run, config, assembly.assemble(config))
    assert parts.threads == 7


def test_another_training_puts_the_earlier_one_aside(begun, composed, tmp_path, capsys):
    new = entered(composed(*QUICK, "lr=0.5"), tmp_path / "a")
    assert new.local_id != begun.local_id and new.resumed == 0
    aside = tmp_path / "a" / "earlier" / begun.local_id
    assert place.read(aside) == replace(begun, directory=aside)
    assert (aside / "history.json").exists() and not (tmp_path / "a" / "history.json").exists()
    assert capsys.readouterr().out == "started anew: lr 0.001 → 0.5\n"


def test_an_extension_is_noted(begun, composed, tmp_path):
    longer = entered(composed(*QUICK, "epochs=5"), tmp_path / "a")
    assert (longer.local_id, longer.extended_from, longer.identity.epochs) == (begun.local_id, (2,), 5)
    longest = entered(composed(*QUICK, "epochs=9"), tmp_path / "a")
    assert longest.extended_from == (2, 5)


@pytest.fixture
def finished(tmp_path, composed):
    """A run of two epochs, and what it came to; without its checkpoints until what it comes with is called."""
    config = composed(*QUICK)
    outcome = training.train_one(config, tmp_path / "a")
    checkpoints = tmp_path / "a" / "checkpoints"
    checkpoints.rename(tmp_path / "away")
    return outcome, lambda: (tmp_path / "away").rename(checkpoints)


def test_a_finished_run_is_extended_from_its_end_alone(finished, composed, tmp_path, capsys):
    before = place.read(tmp_path / "a")
    with pytest.raises(UsageError, match=r"^resume: an-id cannot be given more epochs: its state at the end is not"):
        resuming.enter(replace(composed(*QUICK, "epochs=3"), resume="an-id"), tmp_path / "a")
    assert place.read(tmp_path / "a") == before
    finished[1]()
    capsys.readouterr()
    assert entered(composed(*QUICK, "epochs=3"), tmp_path / "a").extended_from == (2,)
    assert capsys.readouterr().out.startswith("extended from 2 to 3 epochs")


def test_without_its_end_more_epochs_begin_anew_and_what_it_was_is_put_aside(finished, composed, tmp_path, capsys):
    before = place.read(tmp_path / "a")
    longer = training.train_one(composed(*QUICK, "epochs=3"), tmp_path / "a")
    assert "started anew: its state at the end is not kept" in capsys.readouterr().out
    now = place.read(tmp_path / "a")
    assert (now.extended_from, now.local_id != before.local_id) == ((), True)
    assert longer.weights_sha256 == training.train_one(composed(*QUICK, "epochs=3"), tmp_path / "b").weights_sha256
    aside = tmp_path / "a" / "earlier" / before.local_id
    assert record.outcome_of(place.read(aside)) == finished[0]


def test_another_torch_is_warned_about(begun, composed, tmp_path, capsys):
    begun.kept(identity=replace(begun.identity, torch="1.0"))
    again = entered(composed(*QUICK), tmp_path / "a")
    assert capsys.readouterr().err.startswith("warning: torch 1.0 → ")
    assert again.identity == identity_of(composed(*QUICK), begun.identity.data)


@pytest.mark.parametrize("override", ["model.hidden=[8]", "resume=never"])
def test_what_cannot_be_built_moves_nothing(begun, composed, tmp_path, override):
    """A batch that leaves one sample to batch_norm is known once the data is there."""
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    samples = begun.identity.settings["dataset.samples"]
    bad = composed(*QUICK, override, "regularization=[batch_norm]", "batch_size=1", f"dataset.samples={samples}")
    with pytest.raises(UsageError, match="batch_norm"):
        resuming.enter(bad, tmp_path / "a")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not ownership.holds(tmp_path / "a")


def test_a_damaged_one_is_kept_when_it_is_put_aside(composed, tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(place.Damaged):
        resuming.enter(composed(*QUICK), tmp_path)
    assert os.listdir(tmp_path) == ["run.json"]  # noqa: PTH208
    entered(composed(*QUICK, "resume=never"), tmp_path)
    (aside,) = (tmp_path / "earlier").iterdir()
    assert (aside / "run.json").read_text() == "{"
    assert json.loads((tmp_path / "run.json").read_text())["resumed"] == 0


def test_a_run_that_had_nothing_to_lose_when_the_power_went_begins_anew(begun, composed, tmp_path):
    (tmp_path / "a" / "run.json").write_text("")
    again = entered(composed(*QUICK), tmp_path / "a")
    assert again.local_id != begun.local_id and (again.resumed, again.identity) == (0, None)


def test_a_run_that_is_named_must_be_there(composed, tmp_path):
    with pytest.raises(UsageError, match=r"^resume: got nothing-here, allowed auto \| never"):
        resuming.enter(composed(*QUICK, "resume=nothing-here"), tmp_path / "a")


@pytest.mark.parametrize(
    ("resumed", "epoch", "step", "line"),
    [
        (1, 0, 0, "continued at epoch 1, step 0 (2nd sitting)"),
        (2, 0, 13, "continued at epoch 1, step 13 (3rd sitting)"),
        (3, 1, 26, "continued at epoch 2, step 26 (4th sitting)"),
        (10, 1, 50, "continued at epoch 2, step 50 (11th sitting)"),
        (20, 2, 50, "continued at epoch 2, step 50 (21st sitting)"),
    ],
)
def test_where_it_goes_on_is_said(composed, tmp_path, resumed, epoch, step, line):
    parts = assembly.assemble(composed(*QUICK, "dataset.samples=1000"))
    assert parts.steps == 50
    run = replace(run_of(tmp_path, NOW), resumed=resumed)
    assert resuming.continued(run, parts, epoch, step) == line


def test_several_devices_do_not_go_on(begun, composed, tmp_path):
    config = composed(*QUICK)
    several = replace(config, trainer={**config.trainer, "devices": 2})
    with pytest.raises(UsageError, match=r"^trainer\.devices: got 2, allowed 1 for a run that goes on"):
        resuming.enter(several, tmp_path / "a")
