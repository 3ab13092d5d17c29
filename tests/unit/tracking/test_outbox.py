"""What a run says is on disk when the call returns, survives a cut anywhere, and is not said twice."""

import math
import shutil
import subprocess

import numpy as np
import pytest

from descent.errors import EnvironmentFault
from descent.tracking import records
from descent.tracking.outbox import FILES, LOG, Reader, Writer, stored_id
from descent.tracking.records import Dataset, Files, Metrics, Model, Opened, Params, Series, Status, Tags

RECORDS = [
    Opened("a run\nof two lines", {"local_id": "x", "ü": "\u2028 \x00"}, None, 1),
    Params({"lr": "0.1"}),
    Tags({"a": "b"}),
    Metrics({"loss": 0.1 + 0.2, "nan": math.nan, "inf": -math.inf}, 3, 1_700_000_000_001),
    Series("step/loss", np.array([1.5, math.nan, 1e-320]), 7, 1, 2),
    Files("1"),
    Dataset("digits", "d", "training", "source", {"samples": [1, 2]}),
    Model("2", "model"),
    Status("FINISHED", 9),
]


def same(one, other) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself, and arrays compare by element


def said(folder):
    return [record for record, _ in Reader(folder).since(0)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record):
    line = records.encode(record)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert same(records.decode(line), record)


def test_every_kind_of_record_is_tried_here():
    assert {type(record).__name__ for record in RECORDS} == set(records.KINDS)


def test_a_flipped_bit_is_noticed_wherever_it_is():
    line = records.encode(RECORDS[3])
    for place in range(len(line) - 1):
        damaged = bytearray(line)
        damaged[place] ^= 1
        with pytest.raises(records.Damaged):
            records.decode(bytes(damaged))


def test_a_log_cut_at_any_byte_loses_the_torn_record_alone(tmp_path):
    writer = Writer(tmp_path / "whole")
    for record in RECORDS:
        writer.append(record)
    writer.close()
    content = (writer.folder / LOG).read_bytes()
    ends = np.cumsum([len(records.encode(record)) for record in RECORDS])
    for cut in range(len(content)):
        directory = tmp_path / "cut"
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "outbox").mkdir(parents=True)
        (directory / "outbox" / LOG).write_bytes(content[:cut])
        again = Writer(directory)
        again.append(Tags({"after": "the cut"}))
        again.close()
        whole = int((ends <= cut).sum())
        assert len(said(again.folder)) == whole + 1
        assert same(said(again.folder)[:whole], RECORDS[:whole])
        assert again.continues == (whole > 0)


def test_a_damaged_record_in_the_middle_costs_itself(tmp_path):
    writer = Writer(tmp_path)
    for step in range(3):
        writer.append(Metrics({"loss": 1.0}, step, 0))
    content = bytearray((writer.folder / LOG).read_bytes())
    content[len(content) // 2] ^= 1
    (writer.folder / LOG).write_bytes(content)
    found = said(writer.folder)
    assert found[1] == "damaged"
    assert [found[0].step, found[2].step] == [0, 2]


def test_a_reader_waits_for_the_line_that_is_being_written(tmp_path):
    writer = Writer(tmp_path)
    writer.append(Tags({"a": "1"}))
    with (writer.folder / LOG).open("ab") as log:
        log.write(b"0123")
    reader = Reader(writer.folder)
    [(_, offset)] = reader.since(0)
    assert list(reader.since(offset)) == []


def test_other_kinds_are_passed_over_and_counted(tmp_path):
    writer = Writer(tmp_path)
    for record in RECORDS:
        writer.append(record)
    reader = Reader(writer.folder)
    everything = list(reader.since(0))
    some = list(reader.since(0, Files, Model))
    assert [end for _, end in some] == [end for _, end in everything]
    assert [record for record, _ in some if record != "passed over"] == [RECORDS[5], RECORDS[7]]


def test_what_was_said_before_is_not_said_again(tmp_path):
    first = Writer(tmp_path)
    first.append(Params({"lr": "1"}))
    first.append(Metrics({"loss": 1.0}, 0, 5))
    first.append(Series("step/loss", np.arange(4.0), 0, 5, 6))
    first.close()
    second = Writer(tmp_path)
    assert second.continues
    before = len(said(second.folder))
    second.append(Params({"lr": "1"}))
    second.append(Metrics({"loss": 1.0}, 0, 50))
    second.append(Series("step/loss", np.arange(3.0), 1, 50, 60))
    assert len(said(second.folder)) == before
    second.append(Params({"lr": "1", "new": "2"}))
    second.append(Metrics({"loss": 1.0, "accuracy": 0.5}, 0, 50))
    second.append(Series("step/loss", np.arange(2.0, 6.0), 2, 50, 60))
    params, metrics, series = said(second.folder)[before:]
    assert (params.values, metrics.values) == ({"new": "2"}, {"accuracy": 0.5})
    assert (series.first_step, series.values.tolist()) == (4, [4.0, 5.0])


def test_files_have_numbers_of_their_own_in_every_sitting(tmp_path):
    def write(content):
        return lambda target: target.write_text(content)

    first = Writer(tmp_path)
    numbers = [first.put("deep/a.txt", write("1")), first.put("b.txt", write("2"))]
    for number in numbers:
        first.append(Files(number))
    first.close()
    shutil.rmtree(Reader(first.folder).path(numbers[1]))  # as the shipper does
    second = Writer(tmp_path)
    third = second.put("c.txt", write("3"))
    assert len({*numbers, third}) == 3
    assert (Reader(first.folder).path(numbers[0]) / "deep" / "a.txt").read_text() == "1"


def test_a_piece_of_several_files_is_there_as_a_whole_or_not_at_all(tmp_path):
    writer = Writer(tmp_path)
    with writer.piece() as whole:
        whole.add("a.txt", lambda target: target.write_text("1"))
        whole.add("deep/b.txt", lambda target: target.write_text("2"))
        assert not Reader(writer.folder).path(whole.number).exists()
    with pytest.raises(KeyError), writer.piece() as torn:
        torn.add("a.txt", lambda target: target.write_text("3"))
        raise KeyError
    with writer.piece() as empty:
        pass
    inside = Reader(writer.folder).path(whole.number)
    assert [(inside / name).read_text() for name in ("a.txt", "deep/b.txt")] == ["1", "2"]
    assert not Reader(writer.folder).path(torn.number).exists()
    assert list(Reader(writer.folder).path(empty.number).iterdir()) == []


def test_a_piece_that_was_named_and_never_said_keeps_its_number(tmp_path):
    """A kill between the two."""
    unsaid = Writer(tmp_path).put("a.txt", lambda target: target.write_text("1"))
    later = Writer(tmp_path)
    number = later.put("a.txt", lambda target: target.write_text("2"))
    assert number != unsaid and (Reader(later.folder).path(number) / "a.txt").read_text() == "2"


def test_what_a_killed_process_was_writing_goes(tmp_path):
    writer = Writer(tmp_path)
    (writer.folder / FILES / "9.part").mkdir()
    writer.close()
    Writer(tmp_path)
    assert list((writer.folder / FILES).iterdir()) == []


def test_the_holder_is_the_last_who_has_not_ended(tmp_path):
    writer = Writer(tmp_path)
    assert Reader(writer.folder).holder() is None
    writer.append(Opened("a", {}, None, 1))
    writer.append(Opened("b", {}, None, 2))
    assert Reader(writer.folder).holder().name == "b"
    writer.append(Status("KILLED", 3))
    assert Reader(writer.folder).holder() is None


def test_the_stored_id_is_remembered(tmp_path):
    writer = Writer(tmp_path)
    assert stored_id(tmp_path) is None
    Reader(writer.folder).keep(run_id="abc")
    assert stored_id(tmp_path) == "abc"


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small disk needs more rights")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_said_in_a_line_and_what_stood_there_stands(small_disk):
    writer = Writer(small_disk)
    writer.append(Opened("a", {}, None, 1))
    (small_disk / "ballast").write_bytes(b"0" * 200_000)
    with pytest.raises(EnvironmentFault, match="No space left") as caught:
        for step in range(10_000):
            writer.append(Series("step/loss", np.zeros(100), 100 * step, 0, 1))
    assert "\n" not in str(caught.value)
    before = len(said(writer.folder))
    (small_disk / "ballast").unlink()
    writer.append(Tags({"a": "goes on"}))
    found = said(writer.folder)
    assert "damaged" not in found
    assert len(found) == before + 1
