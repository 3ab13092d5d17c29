"""Two generations on disk, against every damage that a disk can do to them."""

import hashlib
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
import torch

from descent import durable
from descent.checkpoints import Checkpoints, DurableFiles
from descent.errors import EnvironmentFault, Interrupted

STATE = {"state_dict": {"weight": torch.arange(600, dtype=torch.float32)}, "global_step": 7, "names": ["a", "b"]}


def saved(folder: Path, *steps: int) -> tuple[Checkpoints, list[Path]]:
    checkpoints = Checkpoints(folder)
    return checkpoints, [checkpoints.save({**STATE, "global_step": step}, step) for step in steps]


def step_in(path: Path | None) -> int:
    assert path is not None
    return int(torch.load(path, weights_only=True)["global_step"])


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_saved_is_what_is_read(tmp_path):
    checkpoints, [path] = saved(tmp_path / "checkpoints", 7)
    read = torch.load(checkpoints.newest(), weights_only=True)
    assert path == checkpoints.newest()
    assert torch.equal(read["state_dict"]["weight"], STATE["state_dict"]["weight"]) and read["names"] == ["a", "b"]


def test_nothing_was_saved(tmp_path, capsys):
    assert Checkpoints(tmp_path / "checkpoints").newest() is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("steps", [(1, 2, 3, 4, 5), (3, 3, 3), (9, 5, 2)])
def test_two_generations_stay_and_the_later_saved_is_the_newest(tmp_path, steps):
    checkpoints, paths = saved(tmp_path / "checkpoints", *steps)
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == sorted(path.name for path in paths[-2:])
    assert checkpoints.newest() == paths[-1] and step_in(paths[-1]) == steps[-1]


# Damage


def cut_short(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def flipped(data: bytearray, chance: random.Random) -> bytearray:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def emptied(data: bytearray, chance: random.Random) -> bytearray:
    return bytearray()


def zeroed(data: bytearray, chance: random.Random) -> bytearray:
    """Zeroes in place of a block, as a file system leaves them that had not written it yet."""
    start = chance.randrange(len(data) - 100)
    while not any(data[start : start + 100]):
        start = chance.randrange(len(data) - 100)
    data[start : start + 100] = bytes(100)
    return data


def lengthened(data: bytearray, chance: random.Random) -> bytearray:
    return data + chance.randbytes(1 + chance.randrange(50))


DAMAGES = (cut_short, flipped, emptied, zeroed, lengthened)


def test_two_hundred_damaged_files_are_each_found_and_the_older_used(tmp_path, capsys):
    for seed in range(200):
        checkpoints, [_, newer] = saved(tmp_path / str(seed), 3, 4)
        newer.write_bytes(DAMAGES[seed % len(DAMAGES)](bytearray(newer.read_bytes()), random.Random(seed)))
        assert step_in(checkpoints.newest()) == 3, seed
        [line] = capsys.readouterr().err.splitlines()
        assert "of step 4 is damaged" in line and "older one of step 3" in line and str(tmp_path) in line, seed
        assert len(line) <= 200


def test_both_damaged_is_the_beginning_and_is_said(tmp_path, capsys):
    checkpoints, paths = saved(tmp_path / "checkpoints", 3, 4)
    for path in paths:
        path.write_bytes(b"")
    assert checkpoints.newest() is None
    newer, older = capsys.readouterr().err.splitlines()
    assert "step 3" in newer and "beginning" in older


def test_a_whole_file_that_torch_cannot_read_is_no_checkpoint(tmp_path, capsys):
    checkpoints, [older, newer] = saved(tmp_path / "checkpoints", 3, 4)
    stranger = b"written whole, by something else"
    digest = hashlib.sha256(stranger).hexdigest()[:16]
    newer.rename(newer.with_name(f"{newer.stem[:-16]}{digest}.pt")).write_bytes(stranger)
    assert checkpoints.newest() == older
    assert "torch cannot read" in capsys.readouterr().err


def test_a_damaged_one_is_set_aside_so_that_the_good_one_stays(tmp_path, capsys):
    checkpoints, [older, newer] = saved(tmp_path / "checkpoints", 3, 4)
    newer.write_bytes(b"")
    assert checkpoints.newest() == checkpoints.newest() == older
    assert len(capsys.readouterr().err.splitlines()) == 1, "said once"
    latest = checkpoints.save(STATE, 5)
    latest.write_bytes(b"")
    assert checkpoints.newest() == older


def test_a_checkpoint_that_needs_code_is_not_loaded(tmp_path, capsys):
    checkpoints, _ = saved(tmp_path / "checkpoints", 3)
    checkpoints.save({**STATE, "code": subprocess.run}, 4)
    assert step_in(checkpoints.newest()) == 3


# What a kill leaves


def test_what_a_killed_process_was_writing_is_swept(tmp_path):
    checkpoints, [path] = saved(tmp_path / "checkpoints", 3)
    orphan = checkpoints.folder / f".{path.name}.0a1b2c3d{durable.UNFINISHED}"
    orphan.write_bytes(b"half")
    assert checkpoints.newest() == path
    checkpoints.sweep()
    assert [one.name for one in checkpoints.folder.iterdir()] == [path.name]


@pytest.mark.parametrize("at", [1, 2])
def test_a_second_signal_inside_a_write_leaves_nothing_half_written(tmp_path, monkeypatch, at):
    """At the first fsync the file has no name yet; at the second it is whole and named."""
    checkpoints, paths = saved(tmp_path / "checkpoints", 3, 4)
    calls, fsync = [], os.fsync

    def interrupted(descriptor):
        calls.append(descriptor)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        fsync(descriptor)

    def stop(number, frame):
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with monkeypatch.context() as patched, pytest.raises(Interrupted):
            patched.setattr(os, "fsync", interrupted)
            checkpoints.save(STATE, 5)
    finally:
        signal.signal(signal.SIGTERM, before)
    left = {path.name for path in checkpoints.folder.iterdir()}
    assert {path.name for path in paths} <= left and len(left) == 1 + at
    assert int(checkpoints.newest().name[5:15]) == 3 + at
    checkpoints.save(STATE, 6)
    assert len(list(checkpoints.folder.iterdir())) == 2


def test_sweeping_a_folder_that_is_not_there(tmp_path):
    Checkpoints(tmp_path / "none").sweep()
    assert not (tmp_path / "none").exists()


def test_nothing_goes_through_another_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/proc/nowhere")
    checkpoints, _ = saved(tmp_path / "checkpoints", 3)
    assert step_in(checkpoints.newest()) == 3


# Disks that do not take it


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"may not mount a file system: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def refused(checkpoints: Checkpoints, state: dict) -> str:
    with pytest.raises(EnvironmentFault) as refusal:
        checkpoints.save(state, 9)
    assert refusal.value.exit_code == 4
    line = str(refusal.value)
    assert len(line) <= 200 and "\n" not in line and "repeat the command" in line
    return line


def test_a_full_disk_leaves_the_earlier_ones_whole(small_disk, capsys):
    checkpoints, paths = saved(small_disk / "checkpoints", 3, 4)
    before = listing(checkpoints.folder)
    assert "No space left" in refused(checkpoints, {**STATE, "large": torch.zeros(100_000)})
    assert listing(checkpoints.folder) == before and checkpoints.newest() == paths[-1]
    assert checkpoints.newest() == paths[-1] and capsys.readouterr().err == ""
    assert checkpoints.save(STATE, 9) == checkpoints.newest(), "the same goes on once there is room"


def test_a_read_only_disk_leaves_the_earlier_ones_whole(small_disk):
    checkpoints, paths = saved(small_disk / "checkpoints", 3, 4)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "Read-only" in refused(checkpoints, STATE)
    assert checkpoints.newest() == paths[-1]
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert checkpoints.save(STATE, 9) == checkpoints.newest()


def test_a_place_that_is_a_file(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    assert "Not a directory" in refused(Checkpoints(tmp_path / "checkpoints"), STATE)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failing_fsync_is_a_failure(tmp_path, monkeypatch, failing):
    """The file's, and the directory's: the earlier ones are not dropped before both have come back."""
    checkpoints, _ = saved(tmp_path / "checkpoints", 3, 4)
    before = listing(checkpoints.folder)
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    assert "Input/output error" in refused(checkpoints, STATE)
    assert before.items() <= listing(checkpoints.folder).items()
    assert not list(checkpoints.folder.glob(f".*{durable.UNFINISHED}"))


# As Lightning writes


def test_any_other_place_is_written_under_the_name_that_was_asked_for(tmp_path):
    files = DurableFiles(Checkpoints(tmp_path / "checkpoints"))
    files.save_checkpoint(STATE, tmp_path / "mine" / "best.ckpt")
    assert files.load_checkpoint(tmp_path / "mine" / "best.ckpt")["global_step"] == 7
    files.remove_checkpoint(tmp_path / "mine" / "best.ckpt")
    assert not list((tmp_path / "mine").iterdir())
