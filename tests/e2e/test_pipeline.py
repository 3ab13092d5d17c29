"""The pipeline for real: DVC itself, in clones of the project, with real kills."""

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import yaml

from conftest import PROJECT

pytestmark = pytest.mark.slow
SMALL = {
    "prepare": {"dataset": "iris"},
    "train": {"model": {"choice": "mlp", "hidden": [8]}, "lr": 0.01, "epochs": 4, "threads": 1},
    "sweep": {"lr": {"sweep": [0.01, 0.03]}, "epochs": 2, "seeds": 2},
    "evaluate": {"split": "test"},
    "compare": {"by": "lr", "metric": "best/val/loss"},
}
GIT = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Clone:
    """A checkout of the project as it stands, with a small params.yaml, and nothing of this process's environment."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (PROJECT / name).is_file() and not name.startswith(("tests/", "docs/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / name, folder / name)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DESCENT_", "DVC_", "MLFLOW"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        own = {"PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT / "tests"), "DVC_NO_ANALYTICS": "1"}
        self.env = {**kept, **GIT, **own}
        self.params(SMALL)
        self.run("git", "init", "-q")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "clone")

    def run(self, *command, code=0, told=True):
        """What it prints; without `told` only what it prints as its answer."""
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if told else "")

    def status(self):
        """The stages that would run."""
        return set(json.loads(self.run("dvc", "status", "--json", told=False)))

    def params(self, content=None, **train):
        content = content or yaml.safe_load((self.folder / "params.yaml").read_text())
        content["train"] = {**content["train"], **train}
        (self.folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def read(self, name):
        return json.loads((self.folder / name).read_text())

    def digest(self, folder="outputs/train"):
        return self.read(f"{folder}/results.json")["weights_sha256"]

    def runs(self):
        """Tags of every finished run in the store."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as connection:
            rows = connection.execute("SELECT run_uuid, key, value FROM tags").fetchall()
        found = {}
        for run, key, value in rows:
            found.setdefault(run, {})[key] = value
        return list(found.values())


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("pipeline") / "clone")
    clone.said = clone.run("dvc", "repro")
    return clone


def ran(said):
    return [line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")]


def test_a_fresh_clone_runs_every_stage(reproduced):
    assert sorted(ran(reproduced.said)) == ["compare", "evaluate", "prepare", "sweep", "train"]
    assert ran(reproduced.said)[0] == "prepare"
    assert reproduced.run("git", "status", "--short") == "?? dvc.lock\n"


def test_an_evaluation_is_kept_with_the_run_that_was_copied(reproduced):
    """The sweep's shorter training came to the same best weights, later."""
    shorter = reproduced.read("sweeps/pipeline/sweep/0/0/results.json")["weights_sha256"]
    assert shorter == reproduced.digest("runs/pipeline/train") == reproduced.digest()
    assert [path.parts[-4] for path in reproduced.folder.glob("*/pipeline/**/evaluate/test/report.json")] == ["train"]


def test_every_run_has_ended_as_it_should(reproduced):
    with closing(sqlite3.connect(reproduced.folder / "mlflow.db")) as connection:
        assert connection.execute("SELECT DISTINCT status FROM runs").fetchall() == [("FINISHED",)]


def test_a_second_time_nothing_runs(reproduced):
    assert ran(reproduced.run("dvc", "repro")) == []


def test_metrics_and_plots_are_shown(reproduced):
    assert "test/accuracy" in reproduced.run("dvc", "metrics", "show")
    reproduced.run("dvc", "plots", "show", "-o", "dvc_plots")
    assert "train/loss" in (reproduced.folder / "dvc_plots" / "index.html").read_text()
    assert "train.lr" in reproduced.run("dvc", "exp", "show", "--csv")


def test_a_stage_s_run_carries_what_dvc_knows(reproduced):
    lock = yaml.safe_load((reproduced.folder / "dvc.lock").read_text())["stages"]["train"]
    (tags,) = [tags for tags in reproduced.runs() if tags.get("dvc.stage") == "train"]
    hashes = {name.removeprefix("dvc.deps."): value for name, value in tags.items() if name.startswith("dvc.deps.")}
    assert hashes == {dep["path"]: dep["md5"] for dep in lock["deps"]}
    assert tags["dvc.revision"] == reproduced.run("git", "rev-parse", "HEAD").strip()
    with closing(sqlite3.connect(reproduced.folder / "mlflow.db")) as connection:
        profiles = [row[0] for row in connection.execute("SELECT dataset_profile FROM datasets")]
    assert any(hashes["outputs/data"] in str(profile) for profile in profiles)


def test_the_same_values_give_the_same_bits_at_every_door(reproduced, tmp_path):
    given = ["--params", "prepare,train", "tracking=none"]
    reproduced.run("python", "src/train.py", *given, f"hydra.run.dir={tmp_path}/one")
    grid = ["-m", *given, "lr=0.01,0.5", f"hydra.sweep.dir={tmp_path}/many"]
    reproduced.run("python", "src/train.py", *grid)
    found = {json.loads(file.read_text())["weights_sha256"] for file in tmp_path.glob("*/results.json")}
    found.add(json.loads((tmp_path / "many" / "0" / "results.json").read_text())["weights_sha256"])
    assert found == {reproduced.digest()}
    assert reproduced.digest() != json.loads((tmp_path / "many" / "1" / "results.json").read_text())["weights_sha256"]


def test_a_sweep_is_kept(reproduced):
    with (reproduced.folder / "outputs/sweep/trials.csv").open() as stream:
        assert [row["lr"] for row in csv.DictReader(stream)] == ["0.01", "0.03"]
    assert reproduced.read("outputs/sweep/best.json")["trials"] == 2


def test_a_stage_s_run_is_made_again(reproduced):
    said = reproduced.run("python", "src/reproduce.py", "run=runs/pipeline/train")
    assert "IDENTICAL" in said
    shutil.rmtree(reproduced.folder / "reproductions")


def test_the_points_of_the_sweep_are_compared(reproduced):
    told = reproduced.read("outputs/compare/comparison.json")
    trained = [
        json.loads(file.read_text())
        for file in (reproduced.folder / "sweeps/pipeline/sweep/0").glob("[01]/results.json")
    ]
    assert told["groups"]["0.01"]["mean"] == pytest.approx(sum(one["metrics"]["best/val/loss"] for one in trained) / 2)
    assert [told["groups"][name]["n"] for name in ("0.01", "0.03")] == [2, 2] and told["pairs"][0]["paired"]
    assert told["left_out"] == {} and told["groups"]["0.01"].keys().isdisjoint({"milliseconds_per_step", "runs"})
    shown = json.loads(reproduced.run("dvc", "metrics", "show", "--json", told=False))
    shown = shown[""]["data"]["outputs/compare/comparison.json"]["data"]["groups"]
    assert [shown[name]["mean"] for name in shown] == [told["groups"][name]["mean"] for name in told["groups"]]
    table = (reproduced.folder / "outputs/compare/table.md").read_text()
    assert "| 0.01 | 2 |" in table and "ms/step" not in table
    words = ["--params", "compare", "runs=outputs/sweep", "save=again"]
    reproduced.run("python", "src/compare.py", *words)
    for file in ("table.md", "comparison.json", "plots/distributions.png"):
        assert (reproduced.folder / "again" / file).read_bytes() == (
            reproduced.folder / "outputs/compare" / file
        ).read_bytes()
    shutil.rmtree(reproduced.folder / "again")


def documented(key):
    """The stages of the guide that are made by `matrix` or `foreach`."""
    text = (PROJECT / "docs" / "pipeline.md").read_text()
    found = {}
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        found |= {name: stage for name, stage in yaml.safe_load(block).items() if key in stage}
    return found


def test_several_trainings_of_one_stage(reproduced):
    file = reproduced.folder / "dvc.yaml"
    before = file.read_text()
    whole = yaml.safe_load(before)
    whole["stages"] |= documented("matrix") | documented("foreach")
    try:
        file.write_text(yaml.safe_dump(whole, sort_keys=False))
        listed = reproduced.run("dvc", "stage", "list", "--name-only", told=False).split()
        reproduced.run("dvc", "repro", "-s", "seeds@2", "rates@0.03")
        lock = yaml.safe_load((reproduced.folder / "dvc.lock").read_text())["stages"]
    finally:
        file.write_text(before)
    assert {"seeds@0", "seeds@1", "seeds@2", "rates@0.01", "rates@0.03"} <= {*listed}
    assert "outputs/seeds/2/metrics.json" in str(lock["seeds@2"]["outs"])
    made = {one["dvc.stage"]: one for one in reproduced.runs() if "@" in one.get("dvc.stage", "")}
    assert {*made} == {"seeds@2", "rates@0.03"} and len({one["run_directory"] for one in made.values()}) == 2


def damaged(clone, stage, out):
    """Flip a byte in the object that DVC's cache has of a stage's out; answers what puts it back."""
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"][stage]["outs"]
    md5 = next(one["md5"] for one in lock if one["path"] == out)
    cache = clone.folder / ".dvc" / "cache" / "files" / "md5"
    if md5.endswith(".dir"):
        listed = json.loads((cache / md5[:2] / md5[2:]).read_text())
        md5 = next(one["md5"] for one in listed if one["relpath"] == "train_inputs.npy")
    file = cache / md5[:2] / md5[2:]
    content, mode = file.read_bytes(), file.stat().st_mode

    def put(content):
        file.chmod(0o644)
        file.write_bytes(content)
        file.chmod(mode)
        place = clone.folder / out
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        clone.run("dvc", "checkout", out)

    put(content[:-4] + bytes([content[-4] ^ 64]) + content[-3:])
    return lambda: put(content)


@pytest.mark.parametrize(
    ("stage", "out", "command", "line"),
    [
        ("prepare", "outputs/data", "train.py dataset=iris dataset.cache=outputs/data", "is not what was prepared"),
        ("train", "outputs/train/weights.safetensors", "evaluate.py run=outputs/train", "not the weights that this"),
    ],
)
def test_a_corrupt_object_of_the_cache_is_one_line(stage, out, command, line, reproduced):
    """DVC itself brings it back without a word."""
    put_back = damaged(reproduced, stage, out)
    before = len(reproduced.runs())
    try:
        script, *words = command.split()
        said = reproduced.run("python", f"src/{script}", *words, code=3)
    finally:
        put_back()
    assert line in said and said.count("\n") == 1, said
    assert len(reproduced.runs()) == before and reproduced.status() == set()


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("src/descent/evaluation/judging.py", {"evaluate"}),
        ("conf/search/tpe.yaml", {"sweep"}),
        ("src/descent/comparison/telling.py", {"compare"}),
        ("conf/optimizer/sgd.yaml", {"train", "sweep"}),
        ("src/descent/report.py", set()),
        ("src/descent/data/iris.csv", {"prepare", "train", "sweep"}),
    ],
)
def test_an_edit_reaches_what_it_must(file, stages, reproduced):
    path = reproduced.folder / file
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + "\n# edited\n")
    try:
        changed = reproduced.status()
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert changed == stages


def test_another_rate_leaves_the_data_alone_and_a_remote_brings_it_back(reproduced, tmp_path):
    reproduced.run("git", "add", "-A")
    reproduced.run("git", "commit", "-qm", "lock")
    first = reproduced.digest()
    reproduced.params(lr=0.02)
    said = reproduced.run("dvc", "repro")
    assert sorted(ran(said)) == ["evaluate", "sweep", "train"]  # the sweep has rates of its own: nothing new to compare
    assert reproduced.digest() != first
    assert "test/loss" in reproduced.run("dvc", "metrics", "diff")
    reproduced.run("dvc", "plots", "diff", "HEAD", "-o", "dvc_plots")
    page = (reproduced.folder / "dvc_plots" / "index.html").read_text()
    assert all(rev in page for rev in ('"rev": "workspace"', '"rev": "HEAD"')) and "distributions.png" in page
    reproduced.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    reproduced.run("dvc", "push")
    second = reproduced.digest()
    shutil.rmtree(reproduced.folder / "outputs")
    shutil.rmtree(reproduced.folder / ".dvc" / "cache")
    reproduced.run("dvc", "pull")
    assert reproduced.digest() == second
    assert ran(reproduced.run("dvc", "repro")) == []
    reproduced.run("git", "checkout", "-q", ".")


def test_an_experiment_in_a_folder_of_its_own_leaves_the_workspace_alone(reproduced):
    before, digest = len(reproduced.runs()), reproduced.digest()
    reproduced.run("dvc", "exp", "run", "--temp", "-n", "apart", "-S", "train.lr=0.06", "train")
    assert reproduced.digest() == digest and reproduced.run("git", "status", "--short", "params.yaml", "dvc.lock") == ""
    [tags] = reproduced.runs()[before:]
    revision = reproduced.run("git", "rev-parse", "HEAD").strip()
    assert (tags["dvc.stage"], tags["dvc.experiment"], tags["dvc.revision"]) == ("train", "apart", revision)
    assert tags["run_directory"] == str(reproduced.folder / "runs/pipeline/apart-train")
    rows = list(csv.DictReader(reproduced.run("dvc", "exp", "show", "--csv", told=False).splitlines()))
    assert "0.06" in {row["train.lr"] for row in rows if row["Experiment"] == "apart"}


def test_experiments_of_a_queue_are_in_the_project_s_store(reproduced):
    reproduced.run("git", "checkout", "-q", ".")
    before = len(reproduced.runs())
    for rate in ("0.05", "0.07"):
        reproduced.run("dvc", "exp", "run", "-S", f"train.lr={rate}", "--queue")
    reproduced.run("dvc", "queue", "start")
    worker_done(reproduced)
    rows = list(csv.DictReader(reproduced.run("dvc", "exp", "show", "--csv", told=False).splitlines()))
    assert {"0.05", "0.07"} <= {row["train.lr"] for row in rows}, reproduced.run("dvc", "queue", "status")
    tags = [one for one in reproduced.runs()[before:] if one.get("dvc.stage") == "train"]
    assert len({one["dvc.experiment"] for one in tags}) == len(tags) == 2
    assert {one["dvc.revision"] for one in tags} == {reproduced.run("git", "rev-parse", "HEAD").strip()}
    assert {one["dvc.experiment"] for one in tags} <= {row["Experiment"] for row in rows}


def worker_done(clone):
    """The queue's workers end by themselves once it is empty."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if process.info["cwd"] == str(clone.folder) and any(
            "queue-worker" in word for word in process.info["cmdline"] or []
        ):
            process.wait(timeout=240)


def disturbed(tmp_path, kill, **how):
    """A clone whose training ends a process when it has come so far."""
    clone = Clone(tmp_path / "clone")
    plan = tmp_path / "plan"
    killer = {"_target_": "reference.kills.Kills", "plan": str(plan), **how}
    clone.params(epochs=60, trainer={"callbacks": [killer]}, checkpoint={"seconds": 0, "every": 3})
    plan.write_text(kill)
    return clone


@pytest.fixture
def killed(tmp_path):
    clone = disturbed(tmp_path, "step 77\n", starter=True)
    clone.env["SHELL"] = "/bin/sh"  # DVC's own where none is set; the other shells are tried in unit/test_stages.py
    clone.run("dvc", "repro", "train", code=-signal.SIGKILL)
    return clone


def test_a_killed_repro_takes_its_stage_along_and_goes_on(killed):
    run = killed.folder / "runs" / "pipeline" / "train"
    owner = json.loads((run / "owner.json").read_text())
    if psutil.pid_exists(owner["pid"]):
        psutil.Process(owner["pid"]).wait(timeout=2)
    assert not (killed.folder / "outputs" / "train").exists()
    assert "train" in killed.status()
    said = killed.run("dvc", "repro", "train")
    assert "continued at epoch" in said
    assert ran(said) == ["train"]
    assert ran(killed.run("dvc", "repro", "train")) == []
    killed.run("python", "src/train.py", "--params", "prepare,train", "tracking=none", "hydra.run.dir=whole")
    assert killed.digest("whole") == killed.digest()


def test_a_stage_that_is_told_to_stop_is_not_done(tmp_path):
    clone = disturbed(tmp_path, "step 77\n", starter=False, number=int(signal.SIGTERM))
    clone.run("dvc", "repro", "train", code=255)
    assert "train" in clone.status()
    assert not (clone.folder / "outputs" / "train").exists()
    assert "continued at epoch" in clone.run("dvc", "repro", "train")
