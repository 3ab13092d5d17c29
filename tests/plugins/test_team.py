"""A grid's points on several workers: each comes to something once, whoever dies, and a signal ends them all."""

import os
import signal
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from descent.errors import EnvironmentFault
from hydra_plugins.descent_sweeper import _team
from hydra_plugins.descent_sweeper._grid import Grid
from hydra_plugins.descent_sweeper._points import Came, Job
from hydra_plugins.descent_sweeper._team import Team, Teller

# A worker without torch: does what its point says, and leaves a file for each attempt.
STUB = """
import json, os, pathlib, signal, sys
order = json.loads(sys.stdin.readline())
def say(**said):
    os.write(order["voice"], (json.dumps(said) + "\\n").encode())
for line in sys.stdin:
    job = json.loads(line)
    what, number = job["words"][0].split("=")
    place = pathlib.Path(job["directory"])
    place.mkdir(exist_ok=True)
    attempt = len(list(place.iterdir()))
    (place / f"attempt-{attempt}").touch()
    say(number=job["number"], done=1, epochs=2, value=0.5)
    if what == "killed" and attempt < int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "traps":
        os.kill(os.getpid(), signal.SIGSYS)
    if what == "crashes" and attempt < int(number):
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "told" and attempt < int(number):
        sys.exit(143)
    if what == "stops":
        os.kill(order["leader"], int(number))
        signal.pause()
    if what == "broken":
        sys.exit(1)
    failed = what == "fails"
    say(number=job["number"], value=None if failed else float(number), why="why" * failed, exit_code=5 * failed)
"""


@dataclass(kw_only=True)
class Counted(Team):
    """Remembers whom it has hired."""

    hired: list = field(default_factory=list)

    def hire(self, *order, **knobs):
        self.hired.append(super().hire(*order, **knobs))
        return self.hired[-1]


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """What points come to on so many workers, in the order in which they do."""
    monkeypatch.setattr(_team, "PROGRAM", STUB)

    def run(points, workers=2):
        came = []
        team = Counted(
            directory=tmp_path,
            workers=workers,
            threads=1,
            jobs=[Job(number, [point], str(tmp_path / str(number))) for number, point in enumerate(points)],
            order={},
            announce=lambda number, one: came.append((number, one)),
        )
        return SimpleNamespace(signal=team.run(), came=came, team=team)

    return run


def attempts(root, number):
    return len(list((root / str(number)).iterdir()))


def test_every_point_once(ran, tmp_path):
    done = ran([f"is={value}" for value in range(7)], workers=3)
    assert done.signal == 0
    assert sorted(done.came) == [(number, Came(float(number))) for number in range(7)]
    assert [attempts(tmp_path, number) for number in range(7)] == [1] * 7
    assert done.team.told[3] == {"done": 1, "epochs": 2, "value": 0.5}
    assert done.team.processes == [] and done.team.ears == {}


def test_one_worker_takes_them_in_their_order(ran):
    assert [number for number, _ in ran(["is=1", "fails=0", "is=2"], workers=1).came] == [0, 1, 2]


def test_no_more_workers_than_points(ran):
    done = ran(["is=1"], workers=4)
    assert done.came == [(0, Came(1.0))] and len(done.team.hired) == 1


def test_a_failure_does_not_stop_the_others(ran):
    assert sorted(ran(["fails=0", "is=1"]).came) == [(0, Came(None, "why", 5)), (1, Came(1.0))]


@pytest.mark.parametrize("point", ["killed=2", "crashes=2", "told=2"])
def test_a_worker_that_dies_loses_nothing(ran, tmp_path, point):
    done = ran([point, "is=1", "is=2"])
    times = point.split("=")[1]
    assert sorted(done.came) == [(0, Came(float(times))), (1, Came(1.0)), (2, Came(2.0))]
    assert attempts(tmp_path, 0) == int(times) + 1


@pytest.mark.parametrize(
    ("point", "why", "times"),
    [
        ("crashes=9", "its process ended 3 times: SIGSEGV", 3),
        ("killed=99", "its process was killed 8 times", 8),
        ("traps=0", "its process was killed 8 times", 8),
    ],
)
def test_a_point_that_kills_its_workers_has_failed(ran, tmp_path, point, why, times):
    failed, other = sorted(ran([point, "is=1"]).came)
    assert failed[1].value is None and failed[1].why.startswith(why)
    assert other == (1, Came(1.0))
    assert attempts(tmp_path, 0) == times


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_them_all(ran, number):
    before = signal.getsignal(number)
    done = ran([f"stops={int(number)}", "stops=0", "is=1"])
    assert done.signal == number and done.came == []
    assert len(done.team.hired) == 2
    for process in done.team.hired:
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
    assert signal.getsignal(number) is before


def test_a_worker_that_cannot_work_is_a_fault_of_the_machine(ran):
    with pytest.raises(EnvironmentFault, match=r"workers: one ended with exit code 1; see .*workers\.log"):
        ran(["broken=0", "is=1"])


def grid_of(points, **settings):
    known = SimpleNamespace(objective="val/loss", direction="minimize", **settings)
    grid = Grid(points, [], None, 2, [])
    grid.__dict__["config"] = known  # what its first point was parsed to
    return grid


def test_lines_tell_the_best_so_far(capsys):
    teller = Teller(grid_of([["lr=1", "epochs=2"], ["lr=2", "epochs=2"], ["lr=3", "epochs=2"]]), {})
    for number, value in ((2, 0.5), (0, 0.25), (1, 0.75)):
        teller(number, Came(value))
    assert capsys.readouterr().out.splitlines() == [
        "[1/3] #2 lr=3  0.5000  (best 0.5000)",
        "[2/3] #0 lr=1  0.2500  (best 0.2500)",
        "[3/3] #1 lr=2  0.7500  (best 0.2500)",
    ]


def test_the_picture_of_a_grid_that_goes_on(tmp_path):
    teller = Teller(grid_of([["lr=1"], ["lr=2"], ["lr=3"], ["lr=4"]]), {})
    teller(1, Came(0.5))
    told = {0: {"done": 1, "epochs": 2, "value": 0.3}}
    seen = teller.picture(SimpleNamespace(busy={7: 2, 8: 0}, told=told))
    assert seen.best == "best val/loss 0.5000  #1 lr=2"
    assert seen.counts == {"finished": 1, "failed": 0, "running": 2, "waiting": 1}
    assert [(one.number, one.point, one.told) for one in seen.running] == [(0, "lr=1", told[0]), (2, "lr=3", {})]
