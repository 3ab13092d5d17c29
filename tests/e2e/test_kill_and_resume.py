"""A run that is killed goes on, by the same command, to the bits of the one that nobody killed."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from reference import forked

OTHER_DISK = Path("/dev/shm")
COMMON = [
    "model=cnn",
    "model.channels=[4]",
    "dataset=synthetic",
    "dataset.kind=image",
    "dataset.shape=[1,4,4]",
    "dataset.samples=200",
    "regularization=[dropout,batch_norm,early_stopping]",
    "regularization.early_stopping.patience=30",
    "scheduler=plateau",
    "scheduler.patience=1",
    "batch_size=16",
    "epochs=4",
    "tracking=none",
    "threads=1",
]  # 160 rows: 10 steps an epoch, 40 in all
STEPS = 40
OFTEN = ["checkpoint.seconds=0", "checkpoint.every=3"]
FILES = ("history.json", "layers.json", "loss_per_step.npy")


@dataclass(frozen=True)
class Place:
    """A root whose `run` is the run's directory and whose `plan` says where it is killed."""

    root: Path

    def arguments(self, plan: str) -> list[str]:
        """Every run of a module names one plan's place: it is part of what makes a training the same."""
        killer = f"trainer.callbacks=[{{_target_: reference.kills.Kills, plan: {plan}}}]"
        return [f"hydra.run.dir={self.root}/run", *COMMON, killer]

    def result(self) -> dict:
        results = json.loads((self.root / "run" / "results.json").read_text())
        metrics = {name: value for name, value in results["metrics"].items() if not name.startswith("time/")}
        digests = [results["weights_sha256"], results["predictions_sha256"]]
        return {"metrics": metrics, "digests": digests} | {
            name: (self.root / "run" / name).read_bytes() for name in FILES
        }


def sitting(place: Place, *more: str) -> forked.Answer:
    env = {"TMPDIR": str(OTHER_DISK)} if OTHER_DISK.exists() else {}
    return forked.train(place.root, [*place.arguments("plan"), *more], env)


def killed(place: Place, at: str) -> None:
    (place.root / "plan").write_text(at)
    answer = sitting(place, *OFTEN)
    assert answer.returncode == -9, answer.stdout + answer.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Nobody kills it, and it writes a checkpoint at its end alone."""
    place = Place(tmp_path_factory.mktemp("whole"))
    answer = sitting(place)
    assert answer.returncode == 0, answer.stderr
    return place.result()


# A checkpoint is written by an fsync of its file, a replace that names it, and an fsync of the folder.
KILLS = ("step 8", "fsync 2", "replace 2", "fsync 5", "step 11")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("resumed"))
    for at in KILLS:
        killed(place, at)
    answer = sitting(place, *OFTEN)
    assert answer.returncode == 0, answer.stderr
    return place, answer


def test_a_run_killed_in_steps_and_in_writes_is_the_one_that_nobody_killed(resumed, whole):
    assert resumed[0].result() == whole


def test_it_says_where_it_goes_on(resumed):
    said = resumed[1].stdout
    assert f"({len(KILLS) + 1}th sitting)" in said and "continued at epoch" in said


def test_nothing_half_written_is_left(resumed):
    folder = resumed[0].root / "run" / "checkpoints"
    assert len(list(folder.glob("step-*.pt"))) == len(list(folder.iterdir())) == 2


# Many kills


@pytest.mark.slow
def test_killed_at_each_step(tmp_path, whole):
    same = 0
    for step in range(1, STEPS + 1):
        place = Place(tmp_path / str(step))
        place.root.mkdir()
        killed(place, f"step {step}")
        assert sitting(place, *OFTEN).returncode == 0
        same += place.result() == whole
    assert same == STEPS


@pytest.mark.slow
def test_killed_twenty_five_times(tmp_path, whole):
    place, moments = Place(tmp_path), random.Random(25)
    for _ in range(25):
        killed(place, moments.choice(["step 1", "step 2", "step 3", "step 4", "fsync 2", "replace 2"]))
    assert sitting(place, *OFTEN).returncode == 0
    assert place.result() == whole
