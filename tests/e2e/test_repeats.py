"""Seeds and folds as commands; what they leave is read back through the MLflow API and counted with NumPy and SciPy."""

import contextlib
import functools
import io
import json
import math
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from scipy import stats

from descent import training
from descent.data import synthetic
from reference import forked
from reference.stored import stocked

PROJECT = Path(__file__).parents[2]
TRAIN = PROJECT / "src" / "train.py"
SMALL = [
    "dataset=synthetic",
    "dataset.samples=200",
    "dataset.shape=[6]",
    "dataset.classes=3",
    "model.hidden=[8]",
    "epochs=2",
    "threads=1",
    "tracking.model=false",
    "trainer.enable_progress_bar=false",
]


@dataclass(frozen=True)
class Stored:
    """A moment's view of a root: the tracking store's runs, and the files of one run's directory."""

    said: str
    parents: list
    children: list  # by their directory's number
    digests: list[str]
    written: list[int]  # when each child's results were

    @property
    def parent(self):
        return self.parents[0]


def command(root: Path, *arguments: str) -> tuple[int, str]:
    """The script in this process; exit code and what it said."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        patch.chdir(root)
        patch.setenv("DESCENT_ROOT", str(root))
        patch.setenv("HYDRA_FULL_ERROR", "0")
        flags = [word for word in arguments if word.startswith("-")]
        patch.setattr(sys, "argv", [str(TRAIN), *flags, *SMALL, *(word for word in arguments if word not in flags)])
        code = 0
        try:
            runpy.run_path(str(TRAIN), run_name="__main__")
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            GlobalHydra.instance().clear()
    return code, said.getvalue()


def stored(root: Path, said: str = "") -> Stored:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("descent").experiment_id])
    directories = sorted((root / "run").glob("[0-9]*"), key=lambda path: int(path.name))
    results = [path / "results.json" for path in directories if (path / "results.json").exists()]
    return Stored(
        said,
        [run for run in runs if run.data.tags.get("role") == "parent"],
        sorted(
            (run for run in runs if run.data.tags.get("role") == "child"),
            key=lambda run: int(Path(run.data.tags["run_directory"]).name),
        ),
        [json.loads(path.read_text())["weights_sha256"] for path in results],
        [path.stat().st_mtime_ns for path in results],
    )


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """One run's life: a seed of two folds, the same command again, a second seed, a third epoch."""
    root = stocked(tmp_path_factory.mktemp("repeats"))
    found = {}
    for moment, changes in {
        "first": [],
        "again": [],
        "more seeds": ["seeds=2"],
        "more epochs": ["seeds=2", "epochs=3"],
    }.items():
        code, said = command(root, "hydra.run.dir=run", "folds=2", "seed=5", "name=several", *changes)
        assert code == 0, said
        found[moment] = stored(root, said)
    return found


@pytest.fixture(scope="module")
def first(history):
    return history["first"]


def test_one_parent_and_a_child_for_each_seed_and_fold(first):
    assert len(first.parents) == 1 and len(first.children) == 2
    assert [run.info.status for run in (first.parent, *first.children)] == ["FINISHED"] * 3
    assert {run.data.tags["mlflow.parentRunId"] for run in first.children} == {first.parent.info.run_id}
    assert "mlflow.parentRunId" not in first.parent.data.tags


def test_a_child_is_named_and_recorded_by_its_seed_and_fold(history):
    children = history["more seeds"].children
    told = [(run.data.params["seed"], run.data.params["fold"]) for run in children]
    assert told == [("5", "0"), ("5", "1"), ("6", "0"), ("6", "1")]
    for run, (seed, fold) in zip(children, told, strict=True):
        assert run.info.run_name.startswith(f"several mlp/adam/synthetic seed={seed} fold={fold} ")
        assert run.data.params["seeds"] == "1"


def test_the_parent_names_its_children(first):
    tags = first.parent.data.tags
    assert tags["children"].split() == [run.data.tags["local_id"] for run in first.children]
    assert tags["repeats"] == "2"
    assert (first.parent.data.params["seeds"], first.parent.data.params["folds"]) == ("1", "2")


def test_the_description_of_each_says_what_was_asked_and_found(history):
    last = history["more epochs"]
    note = last.parent.data.tags["mlflow.note.content"]
    assert note.startswith(
        "How far does mlp with adam on synthetic vary over 2 seeds and 2 folds?\n\n**best/val/accuracy 0."
    )
    assert " ± " in note and " over 4" in note and "    python src/train.py" in note
    for run in (last.parent, *last.children):
        note = run.data.tags["mlflow.note.content"]
        assert f"get-artifact?path=curves.png&run_uuid={run.info.run_id})" in note
        assert run.data.tags["command"] in note


def test_weights_are_the_childrens_alone(first):
    assert [run.data.tags["weights_sha256"] for run in first.children] == first.digests
    assert len(set(first.digests)) == 2 and "weights_sha256" not in first.parent.data.tags


@pytest.mark.parametrize("moment", ["first", "more seeds", "more epochs"])
def test_every_metric_is_summarised_as_numpy_and_scipy_do(history, moment):
    parent, children = history[moment].parent.data.metrics, history[moment].children
    reported = ("best/", "test/", "gap/", "final/", "time/")
    names = [name for name in children[0].data.metrics if name.startswith(reported)]
    assert len(names) > 10
    for name in names:
        values = [run.data.metrics[name] for run in children]
        n, mean, std = len(values), np.mean(values), np.std(values, ddof=1)
        half = stats.t.ppf(0.975, n - 1) * std / math.sqrt(n)
        expected = {"": mean, "/std": std, "/n": n, "/ci95_low": mean - half, "/ci95_high": mean + half}
        assert {part: parent[name + part] for part in expected} == pytest.approx(expected, rel=1e-6, abs=1e-12), name


def test_the_table_and_the_way_on_are_shown(first):
    for text in ("[2/2] seed=5 fold=1", "mean ± std", "95% interval", "resume=", "seeds=2"):
        assert text in first.said, text
    line = next(line for line in first.said.splitlines() if "test/accuracy" in line and "│" in line)
    assert f"{first.parent.data.metrics['test/accuracy']:.4f} ± " in line and line.rstrip(" │").endswith("2")


def test_what_is_finished_is_not_trained_again(history):
    first, again = history["first"], history["again"]
    assert again.written == first.written and len(again.parents) == 1 and len(again.children) == 2
    assert "finished before" in again.said and "[1/2]" not in again.said and "mean ± std" in again.said


def test_more_seeds_extend(history):
    first, more = history["first"], history["more seeds"]
    assert "extended from 1 to 2 seeds" in more.said
    assert more.written[:2] == first.written and len(more.children) == 4
    assert more.parent.info.run_id == first.parent.info.run_id and more.parent.data.tags["repeats"] == "4"
    assert [run.data.params["seed"] for run in more.children] == ["5", "5", "6", "6"]


def test_more_epochs_extend_each_child(history):
    before, after = history["more seeds"], history["more epochs"]
    assert {run.data.tags["extended_from"] for run in after.children} == {"2"}
    assert [run.info.run_id for run in after.children] == [run.info.run_id for run in before.children]
    assert all(one != other for one, other in zip(before.written, after.written, strict=True))


def test_a_child_is_the_ordinary_command(history, tmp_path):
    code, said = command(tmp_path, "seed=6", "folds=2", "fold=1", "tracking=none", "hydra.run.dir=alone")
    assert code == 0, said
    found = json.loads((tmp_path / "alone" / "results.json").read_text())
    assert found["weights_sha256"] == history["more seeds"].digests[3]


# Faults


def callback(text: str) -> str:
    return f"trainer.callbacks=[{{_target_: reference.seed_faults.{text}}}]"


def test_one_that_diverges_leaves_the_others_and_ends_with_5(tmp_path):
    code, said = command(stocked(tmp_path), "seeds=3", "hydra.run.dir=run", callback("Spoils, seeds: [1]"))
    assert code == 5
    assert "1 of 3 repeats diverged; the means are of the other 2: seed=1: loss: nan at step 0" in said.splitlines()[-1]
    found = stored(tmp_path)
    assert [run.info.status for run in found.children] == ["FINISHED", "FAILED", "FINISHED"]
    assert found.parent.info.status == "FAILED" and "1 of 3 repeats" in found.parent.data.tags["status_reason"]
    values = [run.data.metrics["test/accuracy"] for run in found.children if run.info.status == "FINISHED"]
    assert found.parent.data.metrics["test/accuracy/n"] == 2
    assert found.parent.data.metrics["test/accuracy"] == pytest.approx(np.mean(values))


def test_where_all_diverge_there_is_no_mean(tmp_path):
    for _ in range(2):  # again: a failed repeat is tried again, and the parent is not taken for a finished one
        code, said = command(
            tmp_path, "seeds=2", "hydra.run.dir=run", "tracking=none", callback("Spoils, seeds: [0, 1]")
        )
        assert code == 5 and "2 of 2 repeats diverged" in said.splitlines()[-1]


def test_a_signal_ends_the_child_and_the_parent(tmp_path):
    code, said = command(stocked(tmp_path), "seeds=3", "hydra.run.dir=run", callback("Interrupts, seed: 1"))
    assert code == 130 and "goes on with it" in said.splitlines()[-1]
    found = stored(tmp_path)
    assert found.parent.info.status == "KILLED"
    assert [run.info.status for run in found.children] == ["FINISHED", "KILLED"]


def plan(root: Path, *more: str) -> list[str]:
    killer = f"trainer.callbacks=[{{_target_: reference.kills.Kills, plan: {root}/plan}}]"
    return [*SMALL, "hydra.run.dir=run", "folds=5", "checkpoint.every=3", "checkpoint.seconds=0", killer, *more]


def results(root: Path) -> dict:
    said = json.loads((root / "run" / "results.json").read_text())
    said["metrics"] = {name: one for name, one in said["metrics"].items() if not name.startswith("time/")}
    return said | {"repeats": [{**one, "local_id": ""} for one in said["repeats"]]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed")
    assert forked.train(root, [*plan(root), "tracking=none"]).returncode == 0
    return results(root)


def test_killed_in_the_third_of_five_it_comes_to_the_same(tmp_path, undisturbed):
    (tmp_path / "plan").write_text("step 9999\nstep 9999\nstep 6")
    assert forked.train(tmp_path, [*plan(tmp_path), "tracking=none"]).returncode == -9
    finished = [(tmp_path / "run" / str(number) / "results.json") for number in range(5)]
    assert [path.exists() for path in finished] == [True, True, False, False, False]
    before = [path.stat().st_mtime_ns for path in finished[:2]]
    assert forked.train(tmp_path, [*plan(tmp_path), "tracking=none"]).returncode == 0
    assert results(tmp_path) == undisturbed
    assert [path.stat().st_mtime_ns for path in finished[:2]] == before
    resumed = [json.loads((tmp_path / "run" / str(number) / "run.json").read_text())["resumed"] for number in range(5)]
    assert resumed == [0, 0, 1, 0, 0]


@pytest.mark.slow
def test_killed_and_tracked_there_is_one_run_of_each(tmp_path, undisturbed):
    (tmp_path / "plan").write_text("step 9999\nstep 9999\nstep 6\nreplace 1\nstep 9999\nstep 2")
    codes = [forked.train(tmp_path, plan(tmp_path)).returncode for _ in range(4)]
    assert codes == [-9, -9, -9, 0]
    found = stored(tmp_path)
    assert [run.info.status for run in (*found.parents, *found.children)] == ["FINISHED"] * 6
    assert results(tmp_path) == undisturbed
    for name, summary in undisturbed["metrics"].items():
        assert found.parent.data.metrics[name] == pytest.approx(summary["mean"], rel=1e-12), name


# Another training, or the same by its name


def quick(root: Path, *more: str) -> tuple[int, str]:
    return command(root, "tracking=none", "hydra.run.dir=run", *more)


def test_another_training_puts_all_repeats_aside(tmp_path):
    for seeds, lr in ((3, 0.1), (2, 0.2)):
        assert quick(tmp_path, f"seeds={seeds}", f"lr={lr}")[0] == 0
    (aside,) = (tmp_path / "run" / "earlier").iterdir()
    assert sorted(path.name for path in aside.glob("[0-9]")) == ["0", "1", "2"]
    assert sorted(path.name for path in (tmp_path / "run").glob("[0-9]")) == ["0", "1"]
    assert quick(tmp_path, "seeds=2", "lr=0.2", "resume=never")[0] == 0
    assert len(list((tmp_path / "run" / "earlier").iterdir())) == 2


def test_a_parent_and_a_child_go_on_by_their_ids(tmp_path):
    assert command(tmp_path, "tracking=none", "seeds=2", "hydra.run.dir=runs/mine")[0] == 0
    ids = [json.loads((tmp_path / "runs" / "mine" / k / "run.json").read_text())["local_id"] for k in (".", "1")]
    code, said = command(tmp_path, f"resume={ids[1]}")
    assert code == 0 and "finished before" in said
    code, said = command(tmp_path, f"resume={ids[1]}", "seed=7")
    assert code == 2 and "seed 1 → 7" in said
    code, said = command(tmp_path, f"resume={ids[0]}", "seeds=3")
    assert code == 0 and "extended from 2 to 3 seeds" in said
    code, said = command(tmp_path, f"resume={ids[0]}", "seeds=1")
    assert code == 2 and "seeds 3 → 1" in said


# Inside other things


def test_a_grid_returns_the_means(tmp_path):
    code, said = command(tmp_path, "-m", "lr=0.001,0.1", "seeds=2", "tracking=none", "hydra.sweep.dir=grid")
    assert code == 0, said
    for point in ("0", "1"):
        folder = tmp_path / "grid" / point
        objectives = [json.loads((folder / k / "results.json").read_text())["objective"] for k in ("0", "1")]
        mean = json.loads((folder / "results.json").read_text())["objective"]
        assert mean == pytest.approx(np.mean(objectives))
        assert f"{mean:.4f} │" in said
    again, said = command(tmp_path, "-m", "lr=0.001,0.1", "seeds=2", "tracking=none", "hydra.sweep.dir=grid")
    assert again == 0 and "seed=1" not in said.replace("seeds=", "")


def test_a_dry_run_prices_all_of_them(tmp_path):
    code, said = command(tmp_path, "dry_run=true", "seeds=3", "folds=2", "batch_size=30")
    assert code == 0 and "in each of 6 repeats" in said
    assert f"{6 * 2 * 3} in 2 epochs" in said  # 90 rows of a fold: 3 steps an epoch
    assert list(tmp_path.iterdir()) == []


def test_the_objectives_so_far_are_handed_out_and_what_takes_them_may_end_the_run(tmp_path, monkeypatch, composed):
    monkeypatch.chdir(tmp_path)
    config = composed(*SMALL, "seeds=3", "tracking=none")
    seen = []
    mean = training.train(config, tmp_path / "run", lambda objectives: seen.append(list(objectives)))
    assert [len(objectives) for objectives in seen] == [1, 2, 3]
    assert np.mean(seen[-1]) == pytest.approx(mean)

    class Pruned(Exception):
        pass

    def prune(objectives):
        raise Pruned

    with pytest.raises(Pruned):
        training.train(config, tmp_path / "pruned", prune)
    assert (tmp_path / "pruned" / "0").exists() and not (tmp_path / "pruned" / "1").exists()


def test_what_only_a_later_fold_cannot_train_is_refused_before_the_first(tmp_path):
    """90 rows in folds of 23, 23, 22 and 22: the third trains on 68, and 67 leave a minibatch of one."""
    sized = ["folds=4", "batch_size=67", "dataset.samples=100", "regularization=[batch_norm]", "hydra.run.dir=run"]
    code, said = command(tmp_path, *sized, "tracking=none")
    assert code == 2 and said.startswith("batch_size: got 67"), said
    assert list(tmp_path.iterdir()) == []
    assert command(tmp_path, *sized, "tracking=none", "fold=0")[0] == 0


def test_what_cannot_be_built_leaves_nothing(tmp_path):
    code, said = command(tmp_path, "seeds=2", "optimizer.betas=[2.0,0.9]", "hydra.run.dir=run", "tracking=none")
    assert code == 2 and list(tmp_path.iterdir()) == [], said


def test_data_that_follows_the_seed_is_each_seeds_own(tmp_path):
    assert quick(tmp_path, "seeds=2", "dataset.seed=${seed}")[0] == 0
    alone = ["seed=1", "dataset.seed=1", "hydra.run.dir=alone"]
    assert command(tmp_path, "tracking=none", *alone)[0] == 0
    found = [tmp_path / "run" / "1", tmp_path / "alone"]
    weights = [json.loads((one / "results.json").read_text())["weights_sha256"] for one in found]
    assert weights[0] == weights[1]


def test_samples_are_read_once_for_all_seeds_and_folds(tmp_path, monkeypatch):
    read, made = [], synthetic.synthetic

    @functools.wraps(made)
    def counted(**how):
        read.append(how)
        return made(**how)

    monkeypatch.setattr(synthetic, "synthetic", counted)
    code, said = quick(tmp_path, "seeds=2", "folds=2")
    assert code == 0, said
    assert len(read) == 1
