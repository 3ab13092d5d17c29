"""A directory is held by one process, and the same command on it goes on where it stopped. Real processes."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from reference import forked

PROJECT = Path(__file__).parents[2]
TRAIN = [sys.executable, str(PROJECT / "src" / "train.py")]
QUICK = ["tracking=none", "dataset=synthetic", "checkpoint.seconds=0", "regularization=[dropout]"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def environment(root):
    return {**os.environ, "DESCENT_ROOT": str(root), "PYTHONPATH": str(PROJECT / "tests")}


def answer_to(root, *words):
    return forked.train(root, words)


def stopping(root, number, directory=None):
    """The override of a callback that sends the signal after two epochs, once."""
    (root / "mark").touch()
    place = f", directory: '{directory}'" if directory else ""
    target = f"_target_: reference.stopping.StopsOnce, number: {int(number)}, epoch: 1, mark: {root / 'mark'}"
    return f"trainer.callbacks=[{{{target}{place}}}]"


def results(directory):
    said = json.loads((directory / "results.json").read_text())
    return {key: said[key] for key in ("objective", "weights_sha256", "predictions_sha256", "epoch", "epochs")}


def record(directory):
    return json.loads((directory / "run.json").read_text())


def listing(root):
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in [root, *root.rglob("*")]}


@contextmanager
def stopped_process(root, words):
    """One that has stopped itself, alive and holding its directory; killed in the end."""
    process = subprocess.Popen([*TRAIN, *words], cwd=root, env=environment(root), **PIPES)
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def one_line(answer):
    (line,) = answer.stderr.splitlines()
    assert len(line) <= 200
    return line


@pytest.fixture(scope="module")
def contended(tmp_path_factory):
    """The same command twice at once, then the first is killed, then the same command once more."""
    root = tmp_path_factory.mktemp("contended")
    words = [*QUICK, "epochs=5", f"hydra.run.dir={root}/x", stopping(root, signal.SIGSTOP)]
    with stopped_process(root, words) as first:
        before = listing(root)
        second = answer_to(root, *words)
        unchanged = listing(root) == before
    return {"root": root, "pid": first.pid, "second": second, "unchanged": unchanged, "third": answer_to(root, *words)}


def test_a_second_process_is_refused_in_one_line(contended):
    assert contended["second"].returncode == 4
    line = one_line(contended["second"])
    assert line.startswith(f"{contended['root']}/x: held by process {contended['pid']}, which is alive; wait for it,")
    assert contended["second"].stdout == ""


def test_it_changes_nothing_on_disk(contended):
    assert contended["unchanged"]


def test_a_killed_owner_is_taken_over(contended):
    third = contended["third"]
    assert (third.returncode, third.stderr) == (0, "")
    assert re.match(r"continued at epoch \d, step \d+ \(2nd sitting\)\n", third.stdout)
    assert not (contended["root"] / "x" / "owner.json").exists()
    assert record(contended["root"] / "x")["state"] == "finished"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run in a directory that the clock names: interrupted, then named by its id, then extended, then shown again."""
    root = tmp_path_factory.mktemp("stopped")
    words = [*QUICK, "epochs=5", "name=mine"]
    first = answer_to(root, *words, stopping(root, signal.SIGINT))
    (directory,) = root.glob("runs/*/*")
    run = record(directory)["local_id"]
    continued = answer_to(root, f"resume={run[:8]}")
    at_five = results(directory)
    extended = answer_to(root, "resume=mine", "epochs=7")
    at_seven, record_at_seven = results(directory), record(directory)
    before = {path: change for path, change in listing(directory).items() if path != str(directory)}
    again = answer_to(root, "resume=latest")
    unchanged = before == {path: change for path, change in listing(directory).items() if path != str(directory)}
    other = answer_to(root, f"resume={directory}", "lr=0.5")
    undisturbed = answer_to(root, *words, stopping(root, signal.SIGINT).replace("epoch: 1", "epoch: 99"))
    assert undisturbed.returncode == 0, undisturbed.stderr
    (whole,) = set(root.glob("runs/*/*")) - {directory}
    return {**locals()}


def test_a_signal_leaves_a_run_that_can_go_on(stopped):
    assert stopped["first"].returncode == 130
    line = f"interrupted by SIGINT; resume={stopped['run'][:8]} goes on with it"
    assert one_line(stopped["first"]) == line


def test_its_id_alone_goes_on_with_it(stopped):
    assert (stopped["continued"].returncode, stopped["continued"].stderr) == (0, "")
    assert "continued at epoch " in stopped["continued"].stdout and "(2nd sitting)" in stopped["continued"].stdout


def test_it_comes_to_what_an_undisturbed_run_comes_to(stopped):
    assert stopped["at_five"] == results(stopped["whole"])
    assert (stopped["at_five"]["epochs"], stopped["at_seven"]["epochs"]) == (5, 7)


def test_more_epochs_extend_it(stopped):
    assert (stopped["extended"].returncode, stopped["extended"].stderr) == (0, "")
    assert stopped["extended"].stdout.startswith(
        "extended from 5 to 7 epochs: the schedule is recomputed\ncontinued at"
    )
    assert stopped["record_at_seven"]["extended_from"] == [5]
    assert stopped["record_at_seven"]["resumed"] == 2
    assert stopped["record_at_seven"]["local_id"] == stopped["run"]


def test_a_finished_run_is_shown_again(stopped):
    again, extended = stopped["again"], stopped["extended"]
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("finished before: ")
    tables = [[line for line in answer.stdout.splitlines() if "│" in line] for answer in (again, extended)]
    assert tables[0] == tables[1] and len(tables[0]) > 8


def test_nothing_is_written_then(stopped):
    assert stopped["unchanged"]


def test_another_training_is_refused_by_its_id(stopped):
    assert stopped["other"].returncode == 2
    line = one_line(stopped["other"])
    assert line.startswith("resume: ") and "is another training: lr 0.001 → 0.5" in line


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid whose second point stops; a second process meanwhile; killed; the same command again."""
    root = tmp_path_factory.mktemp("grid")
    words = ["-m", *QUICK, "epochs=5", "seed=0,1,2", f"hydra.sweep.dir={root}/g"]
    callback = stopping(root, signal.SIGSTOP, directory="1")
    with stopped_process(root, [*words, callback]) as first:
        finished = (root / "g" / "0" / "weights.safetensors").stat()
        before = listing(root)
        second = answer_to(root, *words, callback)
        unchanged = listing(root) == before
    third = answer_to(root, *words, callback)
    whole = answer_to(root, *[word.replace(f"{root}/g", f"{root}/whole") for word in words], callback)
    assert whole.returncode == 0, whole.stderr
    return {**locals()}


@pytest.mark.slow
def test_a_second_grid_in_its_directory_is_refused(grid):
    assert grid["second"].returncode == 4
    assert one_line(grid["second"]).startswith(f"{grid['root']}/g: held by process {grid['first'].pid}, which is alive")
    assert grid["unchanged"]


@pytest.mark.slow
def test_the_same_grid_goes_on(grid):
    third = grid["third"]
    assert (third.returncode, third.stderr) == (0, "")
    said = re.findall(r"^    (finished before|continued at epoch [23]|started anew)", third.stdout, re.MULTILINE)
    assert said in (["finished before", "continued at epoch 2"], ["finished before", "continued at epoch 3"])


@pytest.mark.slow
def test_what_was_finished_is_not_trained_again(grid):
    after = (grid["root"] / "g" / "0" / "weights.safetensors").stat()
    assert (after.st_mtime_ns, after.st_ino) == (grid["finished"].st_mtime_ns, grid["finished"].st_ino)


@pytest.mark.slow
@pytest.mark.parametrize("point", "012")
def test_every_point_comes_to_what_an_undisturbed_grid_does(grid, point):
    assert results(grid["root"] / "g" / point) == results(grid["root"] / "whole" / point)


@pytest.mark.slow
def test_the_table_shows_them_all(grid):
    tables = [re.findall(r"│ (\d) .*│ +(\S+) │", grid[name].stdout) for name in ("third", "whole")]
    assert tables[0] == tables[1] and len(tables[0]) == 3


@pytest.mark.slow
def test_nothing_of_the_ownership_is_left(grid):
    assert list((grid["root"] / "g").rglob("*owner*")) == []
