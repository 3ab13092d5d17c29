"""`python src/reproduce.py`: runs of a repository that has moved on come out again, or it is said why not."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest

from descent.errors import EnvironmentFault
from descent.reproduction import environments
from reference.repository import Repository

pytestmark = pytest.mark.slow  # each makes a checkout and a process

SMALL = ["epochs=1", "model.hidden=[8]", "device=cpu"]
MLP = "src/descent/models/mlp.py"
PLANTED = "src/descent/models/planted.py"


def soiled(repository):
    """The code of every model of a dirty tree needs a file that git has never seen."""
    repository.replace(MLP, "import math\n", "import math\n\nfrom descent.models.planted import RATIO as RATIO\n")
    repository.replace(MLP, "from torch import", "assert RATIO == 0.5\nfrom torch import")
    (repository.root / PLANTED).write_text("RATIO = 0.5\n")


def moved_on(repository):
    repository.git("checkout", "-q", ".")
    (repository.root / PLANTED).unlink(missing_ok=True)
    repository.replace("conf/model/mlp.yaml", "activation: relu\n", "activation: tanh\n")
    repository.replace("src/descent/engine.py", "losses.append(loss.detach())", "losses.append(2 * loss.detach())")
    repository.commit("moved on")


def planted_lock(repository):
    """A lock of one small package, which brings along all that this interpreter has."""
    wheel = repository.root.parent / "planted-1.0-py3-none-any.whl"
    files = {
        "planted.py": "MADE = True\n",
        "planted.pth": sysconfig.get_path("purelib") + "\n",
        "planted-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n",
        "planted-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["planted-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (repository.root / "requirements.lock").write_text(f"planted @ file://{wheel} --hash=sha256:{digest}\n")
    repository.commit("a small lock")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    made = Repository(tmp_path_factory.mktemp("repository"))
    planted_lock(made)
    soiled(made)
    answer = made.run("train", *SMALL, "name=dirty", "hydra.run.dir=runs/dirty")
    assert answer.returncode == 0, answer.stderr
    moved_on(made)
    return made


@pytest.fixture(scope="module")
def again(repository):
    return repository.run("reproduce", "run=dirty")


def tags(repository):
    """Run → its tags, as the store has them."""
    with sqlite3.connect(repository.root / "mlflow.db") as connection:
        rows = connection.execute("SELECT run_uuid, key, value FROM tags").fetchall()
    found = {}
    for run, key, value in rows:
        found.setdefault(run, {})[key] = value
    return {own["local_id"]: own for own in found.values()}


def local_id(repository):
    return json.loads((repository.root / "runs/dirty/run.json").read_text())["local_id"]


def test_a_run_of_a_dirty_tree_is_made_again(again):
    assert again.returncode == 0, again.stdout + again.stderr
    assert "IDENTICAL: weights, predictions, 12 metrics at 1 epochs, the loss at 45 steps" in again.stdout


def test_nothing_of_it_stays_in_git(again, repository):
    assert repository.git("worktree", "list").count("\n") == 1
    assert repository.git("status", "--porcelain") == ""


def test_both_runs_are_told_the_verdict(again, repository):
    found = tags(repository)
    first = found[local_id(repository)]
    second = found[first["reproduced_by"]]
    assert first["reproduced"] == second["reproduction"] == "identical"
    assert second["reproduces"] == local_id(repository)
    assert first["diff_sha256"] == second["diff_sha256"] and first["git_dirty"] == "true"


def test_what_was_recorded_is_explained_without_training(again, repository):
    before = sorted((repository.root / "reproductions").iterdir())
    answer = repository.run("reproduce", "run=dirty", "explain=true")
    assert answer.returncode == 0 and "2 files, kept here" in answer.stdout and "in this repository" in answer.stdout
    assert sorted((repository.root / "reproductions").iterdir()) == before


@pytest.fixture
def copied(repository, tmp_path):
    """The run's directory, to be damaged: `copied(commit="0" * 40)` changes what it says of its source."""

    def copy(edit=lambda said: None):
        place = tmp_path / "copy"
        shutil.copytree(repository.root / "runs/dirty", place)
        said = json.loads((place / "provenance.json").read_text())
        edit(said)
        (place / "provenance.json").write_text(json.dumps(said))
        return place

    return copy


BROKEN = {
    "commit": (
        lambda said: said["source"].update(commit="0" * 40),
        2,
        "its commit 000000000000 is not in this repository",
    ),
    "diff": (lambda said: said["source"].update(diff_sha256="f" * 64), 2, "is no record of this machine; trust=true"),
    "no git": (lambda said: said["source"].update(commit=None), 2, "it was made outside git"),
    "target": (
        lambda said: said["composed"]["model"].update(_target_="os.system"),
        2,
        "_target_: got os.system, allowed what torch, torchvision, pytorch_lightning and descent train with",
    ),
    "loader": (lambda said: said["composed"]["model"].update(_target_="torch.load"), 2, "_target_: got torch.load"),
    "half a record": (lambda said: said.pop("choices"), 3, "provenance.json: it lacks choices; the run cannot"),
    "no tracking": (lambda said: said["composed"].pop("tracking"), 3, "it lacks composed.tracking.kind, composed."),
    "nested": (lambda said: said["composed"]["trainer"].update(x=[{"_target_": "a.b"}]), 2, "_target_: got a.b"),
    "data": (lambda said: said["composed"]["dataset"].update(path="/not/there.csv"), 3, "/not/there.csv is not there"),
}


@pytest.mark.parametrize(("edit", "code", "line"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_made_again_is_one_line(edit, code, line, copied, repository):
    answer = repository.run("reproduce", f"run={copied(edit)}")
    assert (answer.returncode, answer.stdout) == (code, ""), answer.stderr
    assert line in answer.stderr and answer.stderr.count("\n") == 1
    assert repository.git("worktree", "list").count("\n") == 1


@pytest.mark.parametrize("file", ["loss_per_step.npy", "history.json"])
def test_a_missing_artifact_is_data_that_is_not_there(file, copied, repository):
    place = copied()
    (place / file).unlink()
    answer = repository.run("reproduce", f"run={place}")
    assert answer.returncode == 3 and f"{file}: not there" in answer.stderr and answer.stderr.count("\n") == 1


def test_an_unknown_run_is_a_wrong_word(repository):
    answer = repository.run("reproduce", "run=deadbeefdead")
    assert answer.returncode == 2 and answer.stderr.startswith("run: got deadbeefdead, allowed ")


KINDS = {
    "cnn": "model=cnn",
    "lstm": "model=lstm",
    "resnet": "model=resnet dataset.fraction=0.2",
    "linear": "model=linear optimizer=lbfgs",
    "momentum": "optimizer=momentum scheduler=cosine epochs=2",
    "sam": "regularization=[sam,dropout] optimizer=nesterov",
    "swa": "regularization=[ema,l2,label_smoothing] epochs=2",
    "early": "regularization=[early_stopping] epochs=2 scheduler=plateau",
    "mixup": "regularization=[mixup,gradient_noise] optimizer=adamw",
    "light": "augmentation=light",
    "growing": "batch_growth=milestones epochs=3 batch_growth.milestones=[1,2]",
    "double": "precision=64 threads=2",
    "found": "lr=find",
    "table": "dataset=breast_cancer",
    "numbers": "dataset=diabetes optimizer=rmsprop",
    "own": "dataset=csv dataset.path=examples/orchard.csv dataset.target=fruit dataset.ignore=[id,note] batch_size=8",
}


def _made(repository, name, command):
    small = [] if any(word in command for word in ("model=", "cnn", "lstm")) else ["model.hidden=[8]"]
    epochs = [] if "epochs=" in command else ["epochs=1"]
    words = [*command.split(), *small, *epochs, "device=cpu", f"name={name}", f"hydra.run.dir=runs/{name}"]
    answer = repository.run("train", *words, "tracking=none")
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Runs of every kind from a dirty tree, which then moves on."""
    made = Repository(tmp_path_factory.mktemp("kinds"))
    soiled(made)
    for name, command in KINDS.items():
        _made(made, name, command)
    small = ["device=cpu", "tracking=none", "model.hidden=[8]"]
    several = {
        "seeds": ["seeds=2", "epochs=1", "hydra.run.dir=runs/seeds"],
        "folds": ["folds=2", "epochs=1", "hydra.run.dir=runs/folds"],
        "extended": ["epochs=1", "scheduler=cosine", "hydra.run.dir=runs/extended"],
    }
    for words in (*several.values(), [*several["extended"], "epochs=3"][1:]):
        assert made.run("train", *small, *words).returncode == 0
    trials = ["search=random", "lr=interval(0.001,0.01)", "n_trials=2", "epochs=1", "hydra.sweep.dir=sweeps/s"]
    answer = made.run("train", "-m", *small, *trials)
    assert answer.returncode == 0, answer.stderr
    moved_on(made)
    return made


@pytest.mark.parametrize("name", [*KINDS, "seeds/1", "folds/1", "extended", "seeds"])
def test_every_kind_of_run_is_made_again(name, kinds):
    answer = kinds.run("reproduce", f"run=runs/{name}")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count("IDENTICAL") == (2 if name == "seeds" else 1)


@pytest.mark.parametrize("number", [0, 1])
def test_a_trial_is_made_again_from_its_id(number, kinds):
    said = json.loads((kinds.root / f"sweeps/s/{number}/run.json").read_text())
    answer = kinds.run("reproduce", f"run={said['local_id']}")
    assert answer.returncode == 0 and "IDENTICAL" in answer.stdout, answer.stdout + answer.stderr


def planted_loss(place):
    losses = np.load(place / "loss_per_step.npy")
    losses[20] += 0.5
    np.save(place / "loss_per_step.npy", losses)


CHANGED = {
    "library": (lambda said: said["environment"].update(torch="1.0.0"), "library version: torch 1.0.0"),
    "processor": (lambda said: said["environment"].update(cpu="An Abacus"), "CPU: cpu An Abacus"),
    "device": (lambda said: said["resolved"].update(device_name="H900"), "device: device_name H900"),
    "decay": (lambda said: said["composed"].update(weight_decay=0.1), "configuration: weight_decay 0.0 → 0.1"),
    "precision": (lambda said: said["composed"].update(precision=64), "precision: precision 32 → 64"),
    "seed": (lambda said: said["composed"].update(seed=5), "seed: seed 0 → 5"),
    "batch size": (lambda said: said["composed"].update(batch_size=64), "configuration: batch_size 32 → 64"),
    "samples": (lambda said: said["composed"]["dataset"].update(fraction=0.5), "configuration: dataset.fraction"),
}


@pytest.mark.parametrize(("edit", "cause"), CHANGED.values(), ids=CHANGED)
def test_a_planted_difference_is_found_and_its_cause_named(edit, cause, copied, repository):
    place = copied(edit)
    planted_loss(place)
    answer = repository.run("reproduce", f"run={place}")
    assert answer.returncode == 6, answer.stdout + answer.stderr
    assert "DIFFERENT: from step " in answer.stdout and cause in answer.stdout, answer.stdout


def test_a_run_whose_directory_is_gone_is_made_again_from_the_store(again, repository, monkeypatch, tmp_path):
    """And on another machine, which has no record of its diff."""
    number, place = local_id(repository), repository.root / "runs/dirty"
    place.rename(tmp_path / "aside")
    monkeypatch.setattr(repository, "state", tmp_path / "state")
    restored = repository.root / "runs/restored" / number
    try:
        refused = repository.run("reproduce", f"run={number[:8]}")
        assert refused.returncode == 2 and "is no record of this machine; trust=true" in refused.stderr
        assert refused.stderr.count("\n") == 1 and refused.stdout.startswith(f"restored: {restored} from ")
        answer = repository.run("reproduce", f"run={number[:8]}", "trust=true")
        assert answer.returncode == 0 and "IDENTICAL" in answer.stdout, answer.stdout + answer.stderr
    finally:
        shutil.rmtree(restored, ignore_errors=True)
        (tmp_path / "aside").rename(place)
    second = answer.stdout.rpartition("reproduction: ")[2].strip()
    assert tags(repository)[number]["reproduced_by"] == json.loads(Path(second, "run.json").read_text())["local_id"]


def test_the_environment_of_the_lock_is_made_and_trained_with(repository):
    answer = repository.run("reproduce", "run=dirty", "environment=rebuild")
    assert answer.returncode == 0 and "IDENTICAL" in answer.stdout, answer.stdout + answer.stderr
    [made] = (repository.state / "descent/environments").iterdir()
    assert (made / ".ready").exists() and f"making the environment of requirements.lock in {made}" in answer.stdout
    found = subprocess.run([made / "bin/python", "-c", "import planted; print(planted.MADE)"], capture_output=True)
    assert found.stdout == b"True\n"


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "requirements.lock").write_text(f"planted @ file://{tmp_path}/none.whl --hash=sha256:{'0' * 64}\n")
    with pytest.raises(EnvironmentFault, match=r"environment: requirements\.lock cannot be installed: ") as refusal:
        environments.python_of("rebuild", tmp_path)
    assert len(str(refusal.value)) <= 200 and "\n" not in str(refusal.value)
    assert list((tmp_path / "state/descent/environments").iterdir()) == []
    with pytest.raises(EnvironmentFault, match=r"has no requirements\.lock; environment=present goes on"):
        environments.python_of("rebuild", tmp_path / "state")


def test_a_lost_line_of_the_diff_is_code(copied, repository):
    def clean(said):
        said["source"].update(
            diff_sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", dirty=False
        )

    place = copied(clean)
    planted_loss(place)
    answer = repository.run("reproduce", f"run={place}")
    assert answer.returncode == 6 and "code: models/mlp.py, models/planted.py" in answer.stdout


def test_one_changed_cell_of_the_data_is_found(repository):
    table = repository.root.parent / "table.csv"
    table.write_text("x,y\n" + "".join(f"{number % 7},{'ab'[number % 2]}\n" for number in range(60)))
    words = ["dataset=csv", f"dataset.path={table}", "dataset.target=y", "epochs=1", "tracking=none", "name=table"]
    assert repository.run("train", *words, "batch_size=8").returncode == 0
    table.write_text(table.read_text().replace("6,a", "9,a", 1))
    answer = repository.run("reproduce", "run=table")
    assert answer.returncode == 6 and "data: digest" in answer.stdout, answer.stdout + answer.stderr
    table.unlink()
    answer = repository.run("reproduce", "run=table")
    assert answer.returncode == 3 and answer.stderr.count("\n") == 1
