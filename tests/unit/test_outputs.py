"""What a pipeline keeps of a run: the same bytes whenever the same training is made, and enough to evaluate it."""

import csv
import json
from dataclasses import replace

import pytest

from conftest import PROJECT
from descent import outputs, place

COMMON = ["dataset=iris", "epochs=2", "tracking=none", "model.hidden=[4]"]
NAMES = {"weights.safetensors", "metrics.json", "results.json", "run.json", "curves.csv", "predictions.csv"}
EVALUATE = PROJECT / "src" / "evaluate.py"


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows_of(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def kept(run_here, tmp_path):
    answer = run_here([*COMMON, "hydra.run.dir=a", "outputs=out/a"])
    assert answer.code == 0, answer.err
    return tmp_path / "out" / "a"


def test_the_same_training_leaves_the_same_bytes(kept, run_here, tmp_path):
    assert set(files_in(kept)) == NAMES
    assert run_here([*COMMON, "hydra.run.dir=b", "outputs=b-out"]).code == 0
    assert files_in(tmp_path / "b-out") == files_in(kept)
    (kept / "metrics.json").unlink()
    before = files_in(tmp_path / "b-out")
    answer = run_here([*COMMON, "hydra.run.dir=a", "outputs=out/a"])
    assert "finished before" in answer.out
    assert files_in(kept) == before


def test_what_is_kept_is_what_the_run_came_to(kept, tmp_path):
    results = json.loads((tmp_path / "a" / "results.json").read_text())
    metrics = json.loads((kept / "metrics.json").read_text())
    timeless = {name: value for name, value in results["metrics"].items() if not name.startswith("time/")}
    assert metrics == {**timeless, "objective": results["objective"], "epochs": 2}
    guesses = rows_of(kept / "predictions.csv")
    right = sum(row["actual"] == row["predicted"] for row in guesses) / len(guesses)
    assert right == pytest.approx(metrics["test/accuracy"], abs=1e-12)
    curves = rows_of(kept / "curves.csv")
    assert [row["epoch"] for row in curves] == ["0", "1"]
    assert float(curves[1]["train/loss"]) == metrics["final/train/loss"]


def test_no_place_time_or_id_is_in_it(kept, tmp_path):
    run = json.loads((tmp_path / "a" / "run.json").read_text())
    text = b"".join(content for name, content in files_in(kept).items() if name != "weights.safetensors").decode()
    assert [
        word for word in (run["local_id"], run["created"], str(tmp_path), "samples_per_second") if word in text
    ] == []


def test_a_copy_is_evaluated_wherever_it_is(kept, run_here, tmp_path):
    before = files_in(kept)
    (tmp_path / "a" / "weights.safetensors").unlink()  # the copy has its own
    answer = run_here(["run=out/a", "outputs=e"], EVALUATE)
    assert answer.code == 0, answer.err
    assert files_in(kept) == before
    measured, known = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "e", kept))
    assert measured["accuracy"] == known["test/accuracy"]
    assert measured["loss"] == pytest.approx(known["test/loss"], rel=1e-6)
    assert [row["class"] for row in rows_of(tmp_path / "e" / "classes.csv")] == ["setosa", "versicolor", "virginica"]


def test_seeds_are_kept_as_their_means(run_here, tmp_path):
    assert run_here([*COMMON, "seeds=2", "hydra.run.dir=a", "outputs=o"]).code == 0
    both = [json.loads((tmp_path / "a" / one / "results.json").read_text())["metrics"] for one in "01"]
    kept = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert kept["test/loss"] == pytest.approx((both[0]["test/loss"] + both[1]["test/loss"]) / 2, rel=1e-12)
    assert (tmp_path / "o" / "weights.safetensors").read_bytes() == (tmp_path / "a/0/weights.safetensors").read_bytes()


def test_a_grid_keeps_its_points_and_the_best(run_here, tmp_path):
    answer = run_here(["-m", *COMMON, "lr=1e-5,0.05", "outputs=o", "hydra.sweep.dir=s"])
    assert answer.code == 0, answer.err
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"trials.csv", "best.json"}
    rows = rows_of(tmp_path / "o" / "trials.csv")
    best = json.loads((tmp_path / "o" / "best.json").read_text())
    objectives = [json.loads((tmp_path / "s" / one / "results.json").read_text())["objective"] for one in "01"]
    assert [float(row["objective"]) for row in rows] == objectives
    assert best["number"] == objectives.index(max(objectives)) == 1
    assert best["point"]["lr"] == 0.05
    assert len({row["training"] for row in rows}) == 2
    again = run_here([*COMMON, "lr=0.05", "hydra.run.dir=alone"])
    assert again.code == 0 and outputs.trainings_of(tmp_path / "alone") == [rows[1]["training"]]
    told = place.read(tmp_path / "alone")
    told.kept(identity=replace(told.identity, epochs=3))
    assert outputs.trainings_of(tmp_path / "alone") != [rows[1]["training"]]


@pytest.mark.parametrize(
    ("place", "hint"),
    [("file", "is a file"), ("file/under", "is a file"), ("a", "a run lies there")],
)
def test_a_folder_that_cannot_be_is_refused(place, hint, kept, run_here, tmp_path):
    (tmp_path / "file").write_text("mine")
    answer = run_here([*COMMON, f"outputs={place}"])
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("outputs: got ")
    assert hint in answer.err


def test_a_run_that_diverges_leaves_none(run_here, tmp_path):
    assert run_here(["dataset=diabetes", "tracking=none", "optimizer=sgd", "lr=1e30", "outputs=o"]).code == 5
    assert not (tmp_path / "o").exists()
