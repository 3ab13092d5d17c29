"""What a chart shows, as plain numbers and words. interactive.py draws it for a page, pictures.py for a file.

A colour is a place in the palette; a shade is a number from 0 (worst, hardly seen) to 1 (best, what stands out).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Symbol = Literal["circle", "open", "cross", "star", "diamond"]

# Okabe and Ito's palette: told apart with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Viridis, its brightest end left out; on paper what is best is darkest.
SHADES = ("#bddf26", "#6ece58", "#35b779", "#1f9e89", "#26828e", "#31688e", "#3e4989", "#440154")


@dataclass(frozen=True)
class Axis:
    """Numbers, or the categories in their order; `ticks` names places on an axis of numbers."""

    title: str = ""
    log: bool = False
    categories: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A line through points in their order; NaN interrupts it. `texts` are told where it is touched."""

    x: Sequence[float]
    y: Sequence[float]
    name: str = ""
    colour: int = 0
    shade: float | None = None
    dashed: bool = False
    thin: bool = False
    steps: bool = False
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Points:
    """Marks; with `shades` each in its own."""

    x: Sequence[float]
    y: Sequence[float]
    name: str = ""
    colour: int = 0
    shades: Sequence[float] = ()
    symbol: Symbol = "circle"
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Band:
    """What lies between two lines."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    name: str = ""
    colour: int = 0
    steps: bool = False


@dataclass(frozen=True)
class Bars:
    """One for each name, lying; the first stands on top."""

    names: Sequence[str]
    values: Sequence[float]
    colour: int = 0


@dataclass(frozen=True)
class Field:
    """Values over a grid, `z[row of y][column of x]`; NaN where nothing is known."""

    x: Sequence[float]
    y: Sequence[float]
    z: Sequence[Sequence[float]]
    title: str = ""
    lower_is_better: bool = False


Layer = Line | Points | Band | Bars | Field


@dataclass(frozen=True)
class Chart:
    """One pair of axes and what lies on them, the first layer lowest."""

    title: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    note: str = ""
    wide: bool = False  # it is given a row of its own
