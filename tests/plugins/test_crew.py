"""The leader: what its workers are given, and how far a trial has come."""

import signal
import subprocess
from io import BytesIO
from pathlib import Path

import pytest

from descent import trials
from descent.errors import EnvironmentFault
from hydra_plugins.descent_sweeper import _crew
from hydra_plugins.descent_sweeper._crew import Crew, environment, hang_up, send, started, started_ahead


def test_a_worker_has_its_threads_and_its_own_card(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert environment(2, "5")["CUDA_VISIBLE_DEVICES"] == "5"
    assert environment(2, "5")["OMP_NUM_THREADS"] == "2"
    assert environment(2, None)["CUDA_VISIBLE_DEVICES"] == "4,5"


@pytest.mark.parametrize(
    ("said", "cards"), [("", []), ("3", ["3"]), ("2, 0", ["2", "0"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])]
)
def test_the_cards_are_those_that_may_be_seen(monkeypatch, said, cards):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert trials.graphics_cards() == cards


def test_cards_are_taken_in_turn_and_a_free_one_again():
    crew = Crew(directory=None, workers=4, threads=1, cards=["a", "b", "c"])
    for process in range(4):
        crew.places[process] = crew._free_card()
    assert list(crew.places.values()) == ["a", "b", "c", "a"]
    del crew.places[1]
    assert crew._free_card() == "b"


@pytest.mark.parametrize("cards", [[], ["0"]])
def test_one_card_is_left_to_everybody(cards):
    assert Crew(directory=None, workers=4, threads=1, cards=cards)._free_card() is None


def checkpoint(directory, step, generation):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"step-{step:010d}-{generation:06d}-{'0' * 16}.pt").touch()


def test_progress_is_a_later_step_and_no_other_file(tmp_path):
    assert trials.progress(tmp_path) == trials.progress(tmp_path / "absent") == ""
    checkpoint(tmp_path / "checkpoints", 40, 1)
    first = trials.progress(tmp_path)
    checkpoint(tmp_path / "checkpoints", 40, 2)
    (tmp_path / "checkpoints" / ".step.part").touch()
    assert trials.progress(tmp_path) == first != ""
    checkpoint(tmp_path / "1" / "checkpoints", 0, 1)
    second = trials.progress(tmp_path)
    checkpoint(tmp_path / "checkpoints", 80, 3)
    assert len({first, second, trials.progress(tmp_path)}) == 3


class Deaf(Crew):
    def _listen_to(self, process):
        """These workers say nothing."""


def test_a_kill_is_for_memory_where_the_kernel_has_just_told_of_one(tmp_path, monkeypatch):
    events = tmp_path / "memory.events"
    monkeypatch.setattr(_crew, "MEMORY_EVENTS", events)
    events.write_text("low 0\noom 9\noom_kill 5\noom_group_kill 0\n")
    crew, found = Deaf(directory=tmp_path, workers=1, threads=1), []
    for kills in (5, 6, 6, 6, 7):
        process = subprocess.Popen(["sleep", "60"])
        process.kill()
        process.wait()
        events.write_text(f"low 0\noom 9\noom_kill {kills}\noom_group_kill 0\n")
        crew.processes, crew.ears = [process], {process.pid: BytesIO()}
        found += [crew.own_doing(ended) for ended in crew.ended()]
        assert crew.ended() == []
    assert found == [False, True, False, False, True]


def test_a_worker_that_dies_before_it_reads_ends_nobody_else(monkeypatch):
    process, ear = started("", 1)
    process.wait()
    send(process, {})
    hang_up(process)
    ear.close()
    assert process.returncode == 0 and process.stdin.closed


WAITS = "import sys; sys.exit(len(sys.stdin.readline()) > 1)"


@pytest.fixture
def crew(tmp_path):
    made = Crew(directory=tmp_path, workers=2, threads=1)
    yield made
    made.dismiss()


def test_a_worker_that_was_started_ahead_is_the_first_that_is_hired(crew):
    with started_ahead(WAITS, 2, 1) as crew.ahead:
        waiting = {process.pid for process, _ in crew.ahead}
        hired = [crew.hire(WAITS, {}) for _ in range(3)]
        assert {process.pid for process in hired[:2]} == waiting
        assert hired[2].pid not in waiting and crew.ahead == []
        assert [process.wait() for process in hired] == [1, 1, 1]  # each has got its order


def test_one_that_died_while_it_waited_is_passed_over(crew):
    with started_ahead("", 1, 1) as crew.ahead:
        ((dead, _),) = crew.ahead
        dead.wait()
        hired = crew.hire(WAITS, {})
        assert hired.pid != dead.pid and hired.wait() == 1


def test_those_that_nobody_has_hired_are_gone_and_leave_nothing(crew, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with started_ahead(WAITS, 2, 1) as ahead:
        processes = [process for process, _ in ahead]
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list(tmp_path.iterdir()) == []


def test_none_of_them_is_taken_where_each_is_to_have_its_own_card(crew, tmp_path):
    crew.cards = ["3", "4"]
    says = f"import os; open({str(tmp_path / 'card')!r}, 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    with started_ahead(WAITS, 1, 1) as crew.ahead:
        ((waiting, _),) = crew.ahead
        hired = crew.hire(says, {})
        hired.wait()
        assert hired.pid != waiting.pid and (tmp_path / "card").read_text() == "3"


def test_one_that_cannot_be_started_leaves_none_of_those_before(monkeypatch):
    begun = []

    def started_once(program, threads):
        if begun:
            raise OSError("no more processes")
        begun.append(started(program, threads))
        return begun[0]

    monkeypatch.setattr(_crew, "started", started_once)
    with pytest.raises(OSError, match="no more"), started_ahead(WAITS, 2, 1):
        pass
    assert begun[0][0].returncode == -signal.SIGKILL


def test_what_breaks_one_that_was_started_ahead_is_told_by_the_next_one(crew):
    """It has no log until it has its order."""
    breaks = "import sys; sys.stdin.readline(); print('broken library', file=sys.stderr); sys.exit(1)"
    with started_ahead(breaks, 1, 1) as crew.ahead:
        crew.hire(breaks, {}).wait()
        crew.refuse_broken(crew.ended())
        crew.hire(breaks, {}).wait()
        with pytest.raises(EnvironmentFault, match="exit code 1"):
            crew.refuse_broken(crew.ended())
    assert "broken library" in (crew.directory / "logs" / "workers.log").read_text()


def test_a_worker_that_cannot_be_started_leaves_no_handle_open(tmp_path, monkeypatch):
    def fails(*order, **knobs):
        raise OSError("no more processes")

    monkeypatch.setattr(_crew, "started", fails)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no more"):
        Crew(directory=tmp_path, workers=1, threads=1).hire("", {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_broken_worker_hides_no_other_that_has_ended(tmp_path):
    crew = Deaf(directory=tmp_path, workers=2, threads=1)
    crew.processes = [subprocess.Popen([program]) for program in ("false", "true")]
    crew.ears = {process.pid: BytesIO() for process in crew.processes}
    both = list(crew.processes)
    for process in both:
        process.wait()
    assert crew.ended() == both
    with pytest.raises(EnvironmentFault, match="exit code 1"):
        crew.refuse_broken(both)
