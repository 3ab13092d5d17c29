"""A grid on several workers: its points are handed out in their order, and none of them is lost."""

import select
import signal
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from descent import door, trials
from hydra_plugins.descent_sweeper._crew import (
    LOOK,
    MOST_CRASHES,
    MOST_KILLS,
    Crew,
    Process,
    hang_up,
    send,
    threads_of,
    was_ended,
)
from hydra_plugins.descent_sweeper._display import Forecast, Picture, Running, display
from hydra_plugins.descent_sweeper._grid import Grid, Result, complain, so_far
from hydra_plugins.descent_sweeper._points import PROGRAM, Came, Job
from hydra_plugins.descent_sweeper._worker import log_of


def at_the_same_time(grid: Grid, results: dict[int, Result]) -> int:
    """Put in what the points come to; the number of the signal that ended it, or 0."""
    settings = grid.config
    jobs = [Job(number, point, str(grid.place(number).absolute())) for number, point in enumerate(grid.points)]
    teller = Teller(grid, results)
    team = Team(
        directory=grid.directory.absolute(),
        workers=grid.workers,
        threads=threads_of(settings, grid.workers),
        cards=trials.graphics_cards() if settings.device != "cpu" else [],
        jobs=jobs,
        order={"directory": str(grid.directory.absolute()), "searchpath": door.searchpath(), "primary": grid.primary},
        announce=teller,
    )
    return team.run(display(lambda: teller.picture(team)))


class Teller:
    """Says what a point came to when it has come to it."""

    def __init__(self, grid: Grid, results: dict[int, Result]) -> None:
        self._grid, self.results = grid, results
        self._forecast = Forecast(len(grid.points), 0)

    def __call__(self, number: int, came: Came) -> None:
        point = self._grid.points[number]
        self.results[number] = result = Result(number, point, came.value, came.why, came.exit_code)
        if result.value is None:
            complain(result, log_of(self._grid.directory, number))
            return
        place = f"[{len(self.results)}/{len(self._grid.points)}] #{number} {self._shown(number)}"
        rest = so_far(self._grid, list(self.results.values()), self._forecast)
        print(f"{place}  {result.value:.4f}{rest}", flush=True)

    def _shown(self, number: int) -> str:
        return door.mask(" ".join(self._grid.words(number)))

    def picture(self, team: "Team") -> Picture:
        """The grid as it stands."""
        failed = sum(one.value is None for one in self.results.values())
        running = [Running(one, self._shown(one), team.told.get(one, {})) for one in sorted(team.busy.values())]
        counts = {"finished": len(self.results) - failed, "failed": failed, "running": len(running)}
        counts |= {"waiting": len(self._grid.points) - len(self.results) - len(running)}
        left, objective = self._forecast.left(len(self.results)), self._grid.objective
        return Picture(self._best_line(), counts, len(self._grid.points), left, objective, running)

    def _best_line(self) -> str:
        best = self._grid.best(list(self.results.values()))
        if best is None:
            return ""
        return f"best {self._grid.objective} {best.value:.4f}  #{best.number} {self._shown(best.number)}"


@dataclass(kw_only=True)
class Team(Crew):
    """Workers of a grid. A worker that is killed loses nothing: another one goes on with its point, where it was."""

    jobs: Sequence[Job]
    order: Mapping[str, Any]  # what every worker is told first
    announce: Callable[[int, Came], None]
    busy: dict[int, int] = field(default_factory=dict)  # process → its point
    crashes: Counter[int] = field(default_factory=Counter)
    kills: Counter[tuple[int, str]] = field(default_factory=Counter)  # of a point, where it has come to

    def run(self, display: AbstractContextManager[Callable[[], None]] | None = None) -> int:
        """Until every point has come to something or somebody stops it; the number of the signal that did, or 0."""
        waiting = deque(range(len(self.jobs)))
        with self.signals(), display or nullcontext(lambda: None) as draw:
            try:
                while not self.interrupted and (waiting or self.processes):
                    self._hand_out(waiting)
                    draw()
                    select.select([ear.handle for ear in self.ears.values()], [], [], LOOK)
                    self.listen()
                    waiting.extendleft(self._given_back())
            finally:
                self.dismiss()
        return self.interrupted

    def _hand_out(self, waiting: deque[int]) -> None:
        idle = [one for one in self.processes if one.pid not in self.busy and one.stdin and not one.stdin.closed]
        while len(idle) < len(waiting) and len(self.processes) < self.workers:
            idle.append(self.hire(PROGRAM, self.order, more=True))
        for process in idle:
            if waiting:
                self.busy[process.pid] = number = waiting.popleft()
                send(process, asdict(self.jobs[number]))
            else:
                hang_up(process)  # nothing is left for it

    def take(self, process: Process, said: dict[str, Any]) -> None:
        """How far a point has come, or what it came to."""
        if "exit_code" not in said:
            super().take(process, said)
            return
        self.busy.pop(process.pid)
        self.announce(said.pop("number"), Came(**said))

    def _given_back(self) -> list[int]:
        """Points whose workers have died, but for those that were the death of too many."""
        found, ended = [], self.ended()
        for process in ended:
            number = self.busy.pop(process.pid, None)
            if number is not None and (why := self._hopeless(process, number)):
                self.announce(number, Came(None, why, 1))
            elif number is not None:
                found.append(number)
        self.refuse_broken(ended)
        return found

    def _hopeless(self, process: Process, number: int) -> str:
        if self.own_doing(process):
            self.crashes[number] += 1
            if self.crashes[number] >= MOST_CRASHES:
                return f"its process ended {MOST_CRASHES} times: {signal.Signals(-process.returncode).name}"
        elif was_ended(process):
            at = number, trials.progress(Path(self.jobs[number].directory))
            self.kills[at] += 1
            if self.kills[at] >= MOST_KILLS:
                return f"its process was killed {MOST_KILLS} times before it got any further: is memory short?"
        return ""
