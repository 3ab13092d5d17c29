"""The study's file: what was told to be written is there, whoever was killed while writing."""

import json
import multiprocessing
import os
import signal

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from descent.errors import DataError
from hydra_plugins.descent_sweeper._journal import Journal

SPAWN = multiprocessing.get_context("fork")


def study_in(file, **options):
    return optuna.create_study(storage=JournalStorage(Journal(file)), study_name="s", load_if_exists=True, **options)


def test_records_come_back_from_any_number(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append_logs([{"n": 0}, {"n": 1}])
    journal.append_logs([{"n": 2}])
    for first in range(4):
        assert [record["n"] for record in journal.read_logs(first)] == list(range(first, 3))


def test_another_reader_sees_what_was_appended(tmp_path):
    writer, reader = Journal(tmp_path / "j"), Journal(tmp_path / "j")
    assert list(reader.read_logs(0)) == []
    writer.append_logs([{"n": 0}])
    assert list(reader.read_logs(0)) == [{"n": 0}]
    writer.append_logs([{"n": 1}])
    assert list(reader.read_logs(1)) == [{"n": 1}]


@pytest.mark.parametrize("torn", [b"{", b'{"n": 7', b'{"n": 7}', b"\x00" * 10_000])
def test_a_torn_record_is_cut_off_by_the_next_writer(tmp_path, torn):
    file = tmp_path / "j"
    Journal(file).append_logs([{"n": 0}])
    with file.open("ab") as handle:
        handle.write(torn)
    assert list(Journal(file).read_logs(0)) == [{"n": 0}]
    Journal(file).append_logs([{"n": 1}])
    Journal(file).append_logs([{"n": 2}])
    assert file.read_bytes() == b'{"n":0}\n{"n":1}\n{"n":2}\n'


def test_a_file_with_nothing_but_a_torn_record_begins_anew(tmp_path):
    (tmp_path / "j").write_bytes(b'{"n"')
    Journal(tmp_path / "j").append_logs([{"n": 0}])
    assert (tmp_path / "j").read_bytes() == b'{"n":0}\n'


def append_for_ever(file, ready):
    journal = Journal(file)
    ready.set()
    number = 0
    while True:
        journal.append_logs([{"pid": os.getpid(), "number": number, "filler": "x" * 5000}])
        number += 1


def test_killed_writers_leave_whole_records_and_no_lock(tmp_path):
    file = tmp_path / "j"
    for _ in range(4):
        ready = SPAWN.Event()
        writers = [SPAWN.Process(target=append_for_ever, args=(file, ready)) for _ in range(2)]
        for writer in writers:
            writer.start()
        ready.wait()
        before = file.stat().st_size
        while file.stat().st_size < before + 100_000:
            os.sched_yield()
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
    Journal(file).append_logs([{"pid": 0, "number": 0}])
    records = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert records[-1] == {"pid": 0, "number": 0}
    for pid in {record["pid"] for record in records}:
        numbers = [record["number"] for record in records if record["pid"] == pid]
        assert numbers == list(range(len(numbers)))


def test_optuna_reads_a_study_back(tmp_path):
    study = study_in(tmp_path / "j", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=5)
    again = study_in(tmp_path / "j", direction="maximize")
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
    assert again.best_value == study.best_value
    assert {trial.state for trial in again.trials} == {TrialState.COMPLETE}


def test_a_damaged_record_is_said_in_one_line(tmp_path):
    (tmp_path / "j").write_bytes(b'{"n":0}\n{"n":\n{"n":2}\n')
    with pytest.raises(DataError, match=r"line 2 is damaged; .*study=…"):
        list(Journal(tmp_path / "j").read_logs(0))


def test_only_what_could_not_be_drawn_again_waits_for_the_disk(tmp_path, monkeypatch):
    """A running trial's point and values cost no wait; its end does, and takes them along: the file only grows."""
    study, waits, sync = study_in(tmp_path / "j"), [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waits.append(1), sync(descriptor)))
    study.enqueue_trial({"x": 0.5})
    enqueued = len(waits)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(0.1, 0)
    trial.set_user_attr("owner", "me")
    assert (enqueued, len(waits)) == (1, 1)
    study.tell(trial, 0.1)
    assert len(waits) == 2
