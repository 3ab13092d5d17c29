"""A run is read back from a real store as it was told."""

import itertools
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.figure import Figure

from descent.errors import Diverged
from descent.tracking import run as module
from descent.tracking.courier import courier
from descent.tracking.destination import Destination
from descent.tracking.run import open_run
from descent.tracking.store import open_store
from descent.tracking.sync import sync


@pytest.fixture
def place(tmp_path):
    """Run directories, each another one."""
    numbers = itertools.count()
    return lambda: tmp_path / f"run{next(numbers)}"


def read(destination, run):
    return open_store(destination).client.get_run(run.id)


def artifact(destination, run, path):
    client = open_store(destination).client
    location = client.get_run(run.id).info.artifact_uri.removeprefix("file://")
    return (module.Path(location) / path).read_bytes()


def test_what_was_logged_is_read_back(local, place, tmp_path):
    source = tmp_path / "notes.txt"
    source.write_text("notes")
    with open_run(local, place(), name="first", tags={"arm": "a"}) as run:
        run.params({"lr": 0.1, "model.hidden": [64, 32], "np": np.float64(0.5), "none": None})
        run.tags({"git_dirty": True})
        for epoch in range(3):
            run.metrics({"train/loss": 1 / (epoch + 1), "val/accuracy": epoch / 10}, epoch)
        run.text("lr: 0.1\n", "config/resolved.yaml")
        run.artifact(source, "docs")
        source.unlink()
        run.figure(Figure(), "curves.png")
        run.dataset("digits", "d1" * 32, "training", "scikit-learn", {"samples": 1797})
    stored = read(local, run)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "first")
    assert stored.data.params == {"lr": "0.1", "model.hidden": "[64, 32]", "np": "0.5", "none": "None"}
    assert stored.data.metrics == {"train/loss": pytest.approx(1 / 3), "val/accuracy": 0.2}
    tags = {"arm": "a", "git_dirty": "True", "local_id": run.local_id, "mlflow.source.type": "LOCAL"}
    assert (tags | {"mlflow.runName": "first"}).items() <= stored.data.tags.items()
    assert artifact(local, run, "config/resolved.yaml") == b"lr: 0.1\n"
    assert artifact(local, run, "docs/notes.txt") == b"notes"
    assert artifact(local, run, "curves.png").startswith(b"\x89PNG")
    dataset = stored.inputs.dataset_inputs[0]
    assert (dataset.dataset.name, dataset.dataset.digest, dataset.tags[0].value) == (
        "digits",
        ("d1" * 32)[:36],
        "training",
    )
    assert "1797" in dataset.dataset.profile


def test_artifacts_that_travel_together_arrive_each_under_its_name(local, place, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with open_run(local, place(), name="first", tags={}) as run:
        with run.bundle():
            run.text("lr: 0.1\n", "config/resolved.yaml")
            run.artifact(tmp_path / "notes.txt", "docs")
        with run.bundle():
            pass
        with pytest.raises(KeyError), run.bundle():
            run.text("torn", "torn.txt")
            raise KeyError
        run.text("alone", "alone.txt")
    assert [artifact(local, run, name) for name in ("config/resolved.yaml", "docs/notes.txt", "alone.txt")] == [
        *(b"lr: 0.1\n", b"notes", b"alone")
    ]
    with pytest.raises(FileNotFoundError):
        artifact(local, run, "torn.txt")


def test_steps_and_times_of_metrics_are_kept(local, place):
    before = time.time_ns() // 1_000_000
    with open_run(local, place(), name="r", tags={}) as run:
        run.metrics({"loss": 1.0}, 7)
        run.series("loss", np.arange(2500, dtype="float32"), 100)
    after = time.time_ns() // 1_000_000
    client = open_store(local).client
    assert [point.step for point in client.get_metric_history(run.id, "loss")] == [7]
    points = sorted(client.get_metric_history(run.id, "step/loss"), key=lambda point: point.step)
    assert [point.step for point in points] == list(range(100, 2600))
    assert [point.value for point in points] == list(range(2500))
    assert all(before <= point.timestamp <= after for point in points)


def test_values_that_are_not_finite_are_kept(local, place):
    with open_run(local, place(), name="r", tags={}) as run:
        for step, value in enumerate([math.nan, math.inf, -math.inf, 1.0]):
            run.metrics({"loss": value}, step)
    points = sorted(open_store(local).client.get_metric_history(run.id, "loss"), key=lambda point: point.step)
    assert math.isnan(points[0].value)
    assert points[1].value > 1e308
    assert points[2].value < -1e308
    assert points[3].value == 1.0


def test_a_long_param_is_cut_visibly(local, place):
    with open_run(local, place(), name="r", tags={}) as run:
        run.params({"long": "x" * 7000, "fits": "y" * 6000})
    params = read(local, run).data.params
    assert params["long"] == "x" * 5999 + "…"
    assert params["fits"] == "y" * 6000


def test_more_params_than_one_call_takes(local, place):
    with open_run(local, place(), name="r", tags={}) as run:
        run.params({f"p{number}": number for number in range(250)})
    assert len(read(local, run).data.params) == 250


def test_secrets_do_not_reach_the_store(local, place, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "hunter2-value")
    (tmp_path / "config.yaml").write_text("uri: http://a:hunter2-value@h\n")
    with pytest.raises(RuntimeError), open_run(local, place(), name="r", tags={"note": "hunter2-value"}) as run:
        run.params({"uri": "http://a:hunter2-value@h", "db.password": "hunter2-value"})
        run.text("key: hunter2-value", "note.txt")
        run.artifact(tmp_path / "config.yaml")
        run.dataset("d", "1", "training", "http://a:hunter2-value@h", {"token": "hunter2-value"})
        raise RuntimeError("no access with hunter2-value")
    (tmp_path / "config.yaml").unlink()
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hunter2-value" not in held
    assert read(local, run).data.params == {"uri": "http://***@h", "db.password": "***"}


def test_bytes_that_are_not_utf8_survive_as_text(local, place):
    patch = b"+caf\xe9\r\n"
    with open_run(local, place(), name="r", tags={}) as run:
        run.text(patch.decode("utf-8", "surrogateescape"), "diff.patch")
    assert artifact(local, run, "diff.patch") == patch


def test_a_folder_is_logged_with_what_is_in_it(local, place, tmp_path):
    (tmp_path / "stats" / "deep").mkdir(parents=True)
    (tmp_path / "stats" / "deep" / "a.bin").write_bytes(b"\0\1")
    with open_run(local, place(), name="r", tags={}) as run:
        run.artifact(tmp_path / "stats", "inside")
    assert artifact(local, run, "inside/stats/deep/a.bin") == b"\0\1"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Diverged("loss is nan at step 3\nsecond line"), "FAILED", "Diverged: loss is nan at step 3 second line"),
        (RuntimeError(), "FAILED", "RuntimeError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (SystemExit(130), "KILLED", "SystemExit: 130"),
        (SystemExit(143), "KILLED", "SystemExit: 143"),
        (SystemExit(5), "FAILED", "SystemExit: 5"),
        (SystemExit(0), "FINISHED", None),
    ],
)
def test_the_status_is_true(local, place, error, status, reason):
    with pytest.raises(type(error)), open_run(local, place(), name="r", tags={}) as run:
        run.metrics({"loss": 1.0}, 0)
        raise error
    stored = read(local, run)
    assert stored.info.status == status
    assert stored.data.tags.get("status_reason") == reason
    assert stored.data.metrics == {"loss": 1.0}


def test_a_status_given_by_hand_stays(local, place):
    with open_run(local, place(), name="r", tags={}) as run:
        run.finish("KILLED", "asked to")
    stored = read(local, run)
    assert (stored.info.status, stored.data.tags["status_reason"]) == ("KILLED", "asked to")


def test_a_child_knows_its_parent(local, place):
    with (
        open_run(local, place(), name="p", tags={}) as parent,
        open_run(local, place(), name="c", tags={}, parent=parent.local_id) as child,
    ):
        child.metrics({"loss": 2.0}, 0)
        parent.metrics({"loss": 1.0}, 0)
    assert read(local, child).data.tags["mlflow.parentRunId"] == parent.id
    assert read(local, parent).data.metrics == {"loss": 1.0}
    assert read(local, child).data.metrics == {"loss": 2.0}


def test_odd_names_do_not_lose_a_batch(local, place):
    with open_run(local, place(), name="r", tags={}) as run:
        run.metrics({"val/top@5": 0.5, "loss": 1.0}, 0)
    assert read(local, run).data.metrics == {"val/top_5": 0.5, "loss": 1.0}


def test_a_run_that_nobody_keeps_does_nothing(tmp_path):
    code = f"""
import sys
from pathlib import Path
import numpy as np
from descent.tracking.run import open_run
from descent.tracking.courier import courier
from descent.tracking.destination import Destination
root = Path({str(tmp_path)!r})
with open_run(Destination("none", None, "descent", root), root / "run", name="r", tags={{}}) as run:
    run.params({{"lr": 1}})
    run.metrics({{"loss": 1.0}}, 0)
    run.series("loss", np.zeros(3), 0)
    run.text("a", "a.txt")
    run.artifact("/does/not/matter")
    run.dataset("d", "1", "training", "s", {{}})
    run.finish("FINISHED")
assert run.id is None and len(run.local_id) == 32
assert not {{"mlflow", "torch"}} & set(sys.modules)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_fails_without_a_store_still_fails(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        open_run(Destination("none", None, "e", tmp_path), tmp_path, name="r", tags={}),
    ):
        _ = 1 / 0


def test_the_name_is_masked(local, place):
    with open_run(local, place(), name="mlp lr=0.1 uri=http://a:hunter2@h", tags={}) as run:
        pass
    assert run.name == read(local, run).info.run_name == "mlp lr=0.1 uri=http://***@h"


def test_system_tags_are_not_the_users(local, place):
    mine = {"owner.pid": "1", "owner.x": "1", "local_id": "1", "mlflow.user": "x", "mlflow.runName": "x", "arm": "a"}
    with open_run(local, place(), name="r", tags=mine) as run:
        run.tags(mine)
    tags = read(local, run).data.tags
    assert (tags["owner.pid"], tags["local_id"], tags["arm"]) == (str(os.getpid()), run.local_id, "a")
    assert tags["mlflow.runName"] == "r"
    assert tags["mlflow.user"] != "x"
    assert "owner.x" not in tags


def test_the_same_directory_goes_on_with_the_same_run(local, tmp_path):
    with pytest.raises(KeyboardInterrupt), open_run(local, tmp_path / "run", name="r", tags={}, local_id="l0") as first:
        first.metrics({"loss": 1.0}, 0)
        raise KeyboardInterrupt
    with open_run(local, tmp_path / "run", name="r", tags={}, local_id="l0") as second:
        assert (first.continues, second.continues) == (False, True)
        second.metrics({"loss": 1.0}, 0)
        second.metrics({"loss": 2.0}, 1)
    assert first.id == second.id
    assert read(local, second).info.status == "FINISHED"
    history = open_store(local).client.get_metric_history(second.id, "loss")
    assert sorted((point.step, point.value) for point in history) == [(0, 1.0), (1, 2.0)]


def test_what_is_damaged_is_said_once(local, tmp_path, capsys):
    directory = tmp_path / "run"
    with open_run(local, directory, name="r", tags={}) as run:
        run.metrics({"loss": 1.0}, 0)
        with (directory / "outbox" / "log").open("ab") as log:
            log.write(b"00000000 damaged\n")
    assert run.problem == "a record is damaged"
    assert capsys.readouterr().err == f"tracking: {run.where} is incomplete: a record is damaged\n"


def test_a_local_store_that_breaks_meanwhile_stops_nothing_and_loses_nothing(local, tmp_path, capsys):
    database, kept = local.root / "mlflow.db", local.root / "kept.db"
    directory = tmp_path / "run"
    with open_run(local, directory, name="r", tags={}) as run:
        courier._child.process.kill()  # with what it has open; another one is started when it is needed
        courier._child.process.wait()
        database.rename(kept)
        database.mkdir()
        run.metrics({"loss": 1.0}, 0)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("tracking: ") and "make sync" in line and str(directory) in line
    database.rmdir()
    kept.rename(database)
    assert [sent.waits for sent in sync(local.root)] == [None]
    assert read(local, run).data.metrics == {"loss": 1.0}
