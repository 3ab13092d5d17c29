"""What is seen of a sweep while it runs on a terminal: the best so far, how much is left, and what each worker does."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

SECONDS_BETWEEN_PICTURES = 0.4
SECONDS_BETWEEN_FORECASTS = 10.0  # where nothing but lines is seen
Told = Mapping[str, float]  # what a worker says of its trial: done, epochs, value


@dataclass(frozen=True)
class Running:
    """A trial that a worker has taken; `told` is empty before the end of its first epoch."""

    number: int
    point: str
    told: Told = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A sweep at a moment."""

    best: str
    counts: Mapping[str, int]  # state → trials
    total: int
    left: float | None  # seconds
    objective: str
    running: Sequence[Running] = ()


@dataclass
class Forecast:
    """How long the rest takes, if it goes on as it has since this command began."""

    total: int
    ended: int  # before
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began = self._said = self.clock()

    def left(self, ended: int) -> float | None:
        """Seconds; None before anything has ended."""
        done = ended - self.ended
        return (self.clock() - self._began) / done * max(0, self.total - ended) if done > 0 else None

    def line(self, ended: int) -> str:
        """`, about 3 min left` now and then, else nothing."""
        left = self.left(ended)
        if not left or self.clock() - self._said < SECONDS_BETWEEN_FORECASTS:
            return ""
        self._said = self.clock()
        return f", about {lasting(left)} left"


def lasting(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def drawn(picture: Picture) -> RenderableType:
    """Two lines for the sweep and one for each worker."""
    counts = ", ".join(f"{count} {state}" for state, count in picture.counts.items())
    left = f"; about {lasting(picture.left)} left" if picture.left else ""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True)
    for one in picture.running:
        table.add_row(Text(f"#{one.number}", "bold"), Text(one.point), _told(one.told, picture.objective))
    best = Text(picture.best or "best: none yet", "bold", no_wrap=True, overflow="ellipsis")
    return Group(best, Text(f"{counts} of {picture.total}{left}", no_wrap=True, overflow="ellipsis"), table)


def _told(told: Told, objective: str) -> Text:
    if not told:
        return Text("begins", "dim")
    return Text(f"epoch {told['done']:.0f}/{told['epochs']:.0f}  {objective} {told['value']:.4f}")


class Display:
    """Redrawn in place below the lines that are printed meanwhile, and gone at the end, however that comes."""

    def __init__(self, console: Console, picture: Callable[[], Picture]) -> None:
        self._picture, self._last = picture, 0.0
        is_seen = sys.stderr.isatty()  # else what is said there goes where it was sent
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stderr=is_seen)

    def __enter__(self) -> "Display":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self) -> None:
        """Draw it again, if the last picture is old enough."""
        if time.monotonic() - self._last >= SECONDS_BETWEEN_PICTURES:
            self._last = time.monotonic()
            self._live.update(drawn(self._picture()), refresh=True)


def display(picture: Callable[[], Picture]) -> AbstractContextManager[Callable[[], None]]:
    """The one for a terminal; elsewhere lines say enough."""
    console = Console()
    if console.is_terminal and sys.stdout.isatty() and not console.is_dumb_terminal:
        return Display(console, picture)
    return nullcontext(lambda: None)
