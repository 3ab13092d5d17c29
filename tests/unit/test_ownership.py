"""One living process holds a directory. The others here are real processes."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from descent import ownership
from descent.errors import EnvironmentFault
from descent.rules import LONGEST_LINE

SOURCE = Path(__file__).parents[2] / "src"
HOLDING = """
import sys
from pathlib import Path
from descent import ownership
try:
    with ownership.held(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
except ValueError as error:
    print(error, flush=True)
"""


def start(directory):
    """A process that claims the directory and holds it until its input ends."""
    command = [sys.executable, "-c", HOLDING, str(directory)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})


@contextmanager
def other_process(directory):
    with start(directory) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def listing(directory):
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in [directory, *directory.rglob("*")]}


def write_owner(directory, **changes):
    directory.mkdir(exist_ok=True)
    (directory / ownership.OWNER).write_text(json.dumps(asdict(replace(ownership.this_process(), **changes))))


def test_a_directory_is_made_and_named_and_freed(tmp_path):
    place = tmp_path / "a" / "b"
    with ownership.held(place):
        assert json.loads((place / "owner.json").read_text())["pid"] == os.getpid()
        assert ownership.holds(place)
    assert not ownership.holds(place)
    assert list(place.iterdir()) == []


def test_the_same_process_may_claim_again(tmp_path):
    with ownership.held(tmp_path / "a"):
        with ownership.held(tmp_path / "a"):
            pass
        assert (tmp_path / "a" / "owner.json").exists()
    assert not (tmp_path / "a" / "owner.json").exists()


def test_a_living_owner_is_refused_and_nothing_changes(tmp_path):
    with other_process(tmp_path / "a") as process:
        before = listing(tmp_path)
        with pytest.raises(EnvironmentFault) as refusal:
            ownership.claim(tmp_path / "a")
        assert listing(tmp_path) == before
        line = f"{tmp_path / 'a'}: held by process {process.pid}, which is alive; wait for it, stop it, or choose"
        assert str(refusal.value).startswith(line)
        assert not ownership.holds(tmp_path / "a")
    with ownership.held(tmp_path / "a"):
        pass


def test_a_killed_owner_holds_nothing(tmp_path):
    with other_process(tmp_path / "a") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / "a" / "owner.json").exists()
        with ownership.held(tmp_path / "a"):
            assert ownership.owner_of(tmp_path / "a").pid == os.getpid()


def test_a_zombie_holds_nothing(tmp_path):
    with other_process(tmp_path / "a") as process:
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
        with ownership.held(tmp_path / "a"):
            assert ownership.owner_of(tmp_path / "a") == ownership.this_process()


@pytest.mark.parametrize("changes", [{"started": 12345.0}, {"pid": 2**22 + 1}, {"pid": 2**70}])
def test_a_number_that_was_given_away_again_is_another_process(tmp_path, changes):
    write_owner(tmp_path / "a", **changes)
    with ownership.held(tmp_path / "a"):
        assert ownership.owner_of(tmp_path / "a") == ownership.this_process()


def test_a_clock_that_was_set_makes_no_stranger(tmp_path):
    write_owner(tmp_path / "a", started=ownership.this_process().started + 0.5)
    with ownership.held(tmp_path / "a"):
        pass
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "x"}', '{"host": "x", "pid": "y", "started": 1}'])
def test_what_names_nobody_is_no_owner(tmp_path, content):
    (tmp_path / "owner.json").write_text(content)
    with ownership.held(tmp_path):
        assert ownership.owner_of(tmp_path) == ownership.this_process()


def test_another_machine_cannot_be_asked(tmp_path):
    write_owner(tmp_path / "a", host="elsewhere", pid=7)
    with pytest.raises(EnvironmentFault) as refusal:
        ownership.claim(tmp_path / "a")
    line = f"{tmp_path / 'a' / 'owner.json'}: held by process 7 of elsewhere; if it is gone, delete that file"
    assert str(refusal.value) == line
    (tmp_path / "a" / "owner.json").unlink()
    with ownership.held(tmp_path / "a"):
        pass


def test_a_refusal_is_a_line_even_deep_down(tmp_path):
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    write_owner(deep, host="h" * 90, pid=7)
    with pytest.raises(EnvironmentFault) as refusal:
        ownership.claim(deep)
    assert len(str(refusal.value)) <= LONGEST_LINE
    assert "owner.json: held by process 7" in str(refusal.value)


@pytest.mark.parametrize("dead_owner", [False, True])
def test_of_many_at_once_one_gets_it(tmp_path, dead_owner):
    if dead_owner:
        write_owner(tmp_path / "a", pid=2**22 + 1)
    processes = [start(tmp_path / "a") for _ in range(6)]
    said = [process.stdout.readline() for process in processes]
    assert said.count("held\n") == 1
    assert sum("which is alive" in line for line in said) == 5
    for process in processes:
        process.communicate()
    assert list((tmp_path / "a").iterdir()) == []


def test_release_all_frees_what_was_claimed_twice(tmp_path):
    for _ in range(2):
        ownership.claim(tmp_path / "a")
    ownership.claim(tmp_path / "b")
    ownership.release_all()
    assert [list(path.iterdir()) for path in sorted(tmp_path.iterdir())] == [[], []]


def test_a_directory_that_is_gone_is_released(tmp_path):
    with ownership.held(tmp_path / "a"):
        (tmp_path / "a" / "owner.json").unlink()
        (tmp_path / "a").rmdir()
    assert not (tmp_path / "a").exists()


def test_made_is_new_whoever_else_makes_one(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(ownership.made, [tmp_path / "runs" / "a"] * 24))
    assert sorted(path.name for path in places) == sorted(["a", *(f"a-{number}" for number in range(2, 25))])
