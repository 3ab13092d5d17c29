"""A file has its old content or its new one, whatever goes wrong in between."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent import durable


def test_it_is_written(tmp_path):
    durable.write_durably(tmp_path / "a", b"one")
    durable.write_durably(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch, call):
    durable.write_durably(tmp_path / "a", b"one")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full) if call == "fsync" else monkeypatch.setattr(durable.Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        durable.write_durably(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    said = []
    fsync, replace = os.fsync, durable.Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (said.append("fsync"), fsync(number))[1])
    monkeypatch.setattr(durable.Path, "replace", lambda self, to: (said.append("rename"), replace(self, to))[1])
    durable.write_durably(tmp_path / "a", b"one")
    assert said == ["fsync", "rename", "fsync"]


@pytest.fixture
def synced(monkeypatch):
    """What has been synced to the disk."""
    synced, fsync = [], os.fsync

    def noting(number):
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", noting)
    return synced


def test_files_may_be_synced_together_later(tmp_path, synced):
    (tmp_path / "below").mkdir()
    for name in ("a", "b", "c", "below/d"):
        durable.write_whole(tmp_path / name, b"one")
    assert synced == []
    durable.sync_folder(tmp_path)
    assert sorted(synced[:-1]) == [str(tmp_path / name) for name in "abc"]
    assert synced[-1] == str(tmp_path)


def test_a_lock_that_is_let_go_meanwhile_is_nobody_s_loss(tmp_path, monkeypatch):
    for name in ("a", "lock"):
        durable.write_whole(tmp_path / name, b"one")
    sync_file, asked = durable.sync_file, []

    def noting(path):
        asked.append(path.name)
        if path.name == "lock":
            path.unlink()
        sync_file(path)

    monkeypatch.setattr(durable, "sync_file", noting)
    durable.sync_folder(tmp_path)
    assert sorted(asked[:-1]) == ["a", "lock"]


def test_what_the_disk_does_not_take_is_told(tmp_path, monkeypatch):
    durable.write_whole(tmp_path / "a", b"one")

    def broken(number):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        durable.sync_folder(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part) | st.dictionaries(st.integers(), part),
)


@given(JSON)
def test_json_is_read_as_python_s_own_would_be(value):
    assert json.loads(durable.laid_out(value)) == json.loads(json.dumps(value))


def test_json_has_a_line_for_each_entry_and_for_each_row():
    text = durable.laid_out({"a": {"b": 1, "c": [1, 2]}, "rows": [{"x": 1, "y": 2}, [3, 4]], "d": {}, "nan": math.nan})
    lines = text.decode().splitlines()
    assert [line.strip() for line in lines] == [
        *("{", '"a": {', '"b": 1,', '"c": [1, 2]', "},", '"rows": [', '{"x": 1, "y": 2},', "[3, 4]", "],"),
        *('"d": {},', '"nan": NaN', "}"),
    ]


def test_json_for_people(tmp_path):
    durable.write_json(tmp_path / "a.json", {"b": [1, 2.5, None, "ü"]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5, None, "ü"]}
    assert (tmp_path / "a.json").read_text().endswith("}\n")
