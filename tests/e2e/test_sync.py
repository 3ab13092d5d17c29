"""`make sync` as a person uses it."""

import os

from descent.tracking import waiting
from descent.tracking.destination import Destination
from descent.tracking.outbox import Writer
from descent.tracking.records import Metrics, Opened, Status
from reference import forked


def sync(root, *arguments):
    return forked.train(root, arguments, script="sync.py")


def left_behind(root, local_id, destination):
    writer = Writer(root / local_id)
    writer.append(Opened(f"run {local_id}", {"local_id": local_id, "owner.host": os.uname().nodename}, None, 1))
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    writer.append(Status("FINISHED", 2))
    waiting.announce(local_id, writer.folder, destination)


def test_what_arrives_and_what_waits_is_said(tmp_path):
    left_behind(tmp_path, "aaaaaaaaaa", Destination("local", None, "descent", tmp_path))
    left_behind(tmp_path, "bbbbbbbbbb", Destination("server", "http://127.0.0.1:9", "descent", tmp_path))
    first = sync(tmp_path)
    assert first.returncode == 4, first.stderr
    lines = first.stdout.splitlines()
    database = tmp_path / "mlflow.db"
    assert f"run aaaaaaaaaa (aaaaaaaa): 3 records shipped to {database}; complete" in lines[0]
    assert "run bbbbbbbbbb (bbbbbbbb): 0 records shipped to http://127.0.0.1:9; waits: connection refused" in lines[1]
    assert lines[2] == "1 still waiting"
    second = sync(tmp_path)
    assert (second.returncode, len(second.stdout.splitlines())) == (4, 2)


def test_nothing_to_do(tmp_path):
    answer = sync(tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "nothing is waiting\n", "")


def test_a_directory_that_was_deleted_is_forgotten(tmp_path):
    waiting.announce("gone", tmp_path / "gone" / "outbox", Destination("local", None, "descent", tmp_path))
    assert sync(tmp_path).returncode == 0
    assert sync(tmp_path).stdout == "nothing is waiting\n"


def test_it_takes_no_arguments(tmp_path):
    answer = sync(tmp_path, "now")
    assert answer.returncode == 2
    assert answer.stderr == "sync: got now, allowed nothing; it ships whatever waits\n"
