"""A race as a command: equal budgets, repeats that alone are tested, killed in the middle and gone on with."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import yaml

from e2e.searches import PROJECT, run, runs_of

TINY = ["model=linear", "dataset=iris,wine", "epochs=3", "batch_size=32"]
RACE = ["-m", "search=race", "optimizer=sgd,adam,lion", *TINY, "search.points=2", "search.repeats=2", "study=race"]
RACE += ["workers=2", "checkpoint.seconds=0"]


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """It is killed when the first repeats have begun, then the same command is given once more, and once more."""
    root = tmp_path_factory.mktemp("race")
    command = [sys.executable, str(PROJECT / "src" / "train.py"), *RACE]
    env = {**os.environ, "DESCENT_ROOT": str(root)}
    leader = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (root / "sweeps" / "race" / "12").exists():
        assert leader.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    return root, run(root, *RACE), run(root, *RACE)


def trials_of(root):
    study = root / "sweeps" / "race"
    return {int(one.parent.name): json.loads(one.read_text()) for one in study.glob("[0-9]*/results.json")}


@pytest.mark.slow
def test_a_race_that_is_killed_goes_on_to_its_whole_list(raced):
    root, again, _ = raced
    assert (again.returncode, again.stderr) == (0, "")
    assert sorted(trials_of(root)) == list(range(3 * 2 * 2 + 3 * 2 * 2))
    assert {one.info.status for one in runs_of(root)} == {"FINISHED"}
    assert len(runs_of(root)) == 25


@pytest.mark.slow
def test_repeats_alone_read_the_test_split(raced):
    tested = {number for number, one in trials_of(raced[0]).items() if "test/accuracy" in one["metrics"]}
    assert tested == set(range(12, 24))


@pytest.mark.slow
def test_each_best_is_repeated(raced):
    root, found = raced[0], trials_of(raced[0])
    points = {
        number: yaml.safe_load((root / f"sweeps/race/{number}/.hydra/config.yaml").read_text()) for number in found
    }
    names = ("optimizer", "dataset")
    keys = {number: tuple(one[name]["_target_"] for name in names) for number, one in points.items()}
    for number in range(12, 24):
        rivals = [other for other in range(12) if keys[other] == keys[number]]
        assert len(rivals) == 2
        best = max(rivals, key=lambda other: (found[other]["objective"], -other))
        assert points[number]["lr"] == points[best]["lr"]
        assert points[number]["seed"] in (1, 2)


@pytest.mark.slow
def test_its_report_tells_the_ranking_and_the_next_race(raced):
    root, again, _ = raced
    study = root / "sweeps" / "race"
    assert "has the best mean rank of 3 over 2 workloads" in again.stdout
    assert (study / "report.html").stat().st_size > 1e6
    assert {one.stem for one in (study / "plots").glob("*.png")} == {
        "standing",
        "best_of",
        "isolation",
        "profile",
        "chances",
    }
    assert [line.split(" | ")[0] for line in (study / "table.md").read_text().splitlines()[4:]] != []
    proposed = yaml.safe_load((study / "next" / "space" / "next.yaml").read_text())["space"]
    assert proposed["workloads"] == ["dataset=iris", "dataset=wine"]
    assert proposed["parameters"]["optimizer"] == "scientific sgd | adam | lion"


def proposed_by(output):
    """The words of the command that stands at the end."""
    python, script, *words = shlex.split(output.rpartition("next:\n")[2])
    assert (python, script) == ("python", "src/train.py")
    return words


@pytest.mark.slow
def test_the_proposed_race_is_a_command_with_all_else_as_it_was(raced, run_here):
    words = proposed_by(raced[1].stdout)
    assert words[1:3] == [f"--config-dir={raced[0] / 'sweeps' / 'race' / 'next'}", "space=next"]
    fixed = ["model=linear", "epochs=3", "batch_size=32", "search.points=2", "search.repeats=2", "workers=2"]
    assert words[3:] == [*fixed, "checkpoint.seconds=0"]
    answer = run_here([*words, "dry_run=true"])
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.slow
def test_a_race_on_one_workload_proposes_one_too(tmp_path, run_here):
    fixed = ["model=linear", "dataset=iris", "epochs=1", "lr=0.01", "tracking=none", "search.points=1"]
    fixed += ["search.repeats=1", "seed=4"]
    found = run_here(["-m", "search=race", "optimizer=sgd,adam", *fixed, "study=one"])
    words = proposed_by(found.out)
    assert words[3:] == fixed
    again = run_here([*words, "dry_run=true"])
    assert (again.code, again.err) == (0, "")


@pytest.mark.slow
def test_a_finished_race_says_so(raced):
    assert "finished before: race has its 24 trials; study=… begins another" in raced[2].stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["search=race"], "search: got race and nothing to compare, allowed swept choices or one marked scientific"),
        (["search=race", "optimizer=sgd,adam", "pruner=median"], "pruner: got median, allowed none with search=race"),
        (
            ["search=race", "optimizer=sgd,adam", "n_trials=9"],
            "n_trials: got 9, allowed null with search=race; search.p",
        ),
        (
            ["search=race", "optimizer=sgd,adam", "search.patience=9"],
            "search.patience: got 9, allowed None with search=",
        ),
        (["search=race", "optimizer=sgd,adam", "seed=1,2"], "seed: got several values, allowed one with search=race"),
        (
            ["search=race", "optimizer=sgd,adam", "model=linear", "dataset=iris,diabetes"],
            "objective: got maximize val/accuracy with dataset=iris optimizer=sgd and minimize val/loss",
        ),
        (["search=race", "optimizer=sgd,adam", "outputs=x"], "outputs: got x, allowed null with search=race: it has"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_race_that_cannot_be_is_one_line(run_here, tmp_path, words, line):
    answer = run_here(["-m", *words])
    assert answer.code == 2
    assert answer.err.startswith(line)
    assert len(answer.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
