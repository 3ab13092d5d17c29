"""What a search explores: parameters, where they come from, and under which choice each of them exists.

A space file and the `space` beside a `_target_` say it in one line each:

lr: float [1e-5, 1e-1] log                      momentum: float [0.5, 0.99] if optimizer=sgd|momentum
depth: int [1, 4]                               activation: relu | tanh
p: float (0, 1)                                 an end in round brackets is left out

In a race a role stands before the rule: `scientific sgd | adam` is what is compared, `nuisance float [0, 1]` what each
of these is tuned over, `fixed 64` what stays.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Sweep

from descent.errors import UsageError

Point = dict[str, str]  # override key → value as it is written on a command line
Condition = tuple[str, tuple[str, ...]]
_NUMBER = re.compile(
    r"(float|int)\s*(?P<from>[\[(])\s*(?P<low>[^,\s]+)\s*,\s*(?P<high>[^\])\s]+)\s*(?P<to>[\])])"
    r"(?P<log>\s+log)?(\s+step\s+(?P<step>\S+))?"
)
ROLES = ("scientific", "nuisance", "fixed")
DIGITS = 5  # of a drawn number as it is trained and shown: nobody tunes the sixth
INSIDE = 1e-6  # of its length: how far from an end that is left out a number stays


@dataclass(frozen=True)
class Parameter:
    """One dimension. `name` is its name in the study: per branch, so that no name ever has two distributions."""

    name: str
    key: str
    kind: Literal["float", "int", "choice"]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    choices: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()
    role: str = ""  # in a race

    def exists_in(self, point: Mapping[str, str]) -> bool:
        """Whether the choices made so far leave it a meaning."""
        return all(point.get(key) in allowed for key, allowed in self.when)

    def written(self, value: object) -> str:
        """A value as an override takes it."""
        if self.kind != "float":
            return str(value)
        exact = float(value)  # type: ignore[arg-type]
        short = float(f"{exact:.{DIGITS}g}")
        return repr(short if self.low <= short <= self.high else exact)

    def read(self, text: str) -> float | int | str:
        """The value that an override's text stands for, or ValueError where it is outside."""
        if self.kind == "choice":
            for choice in self.choices:
                if is_same(choice, text):
                    return choice
            raise ValueError(f"allowed {' | '.join(self.choices)}")
        value = float(text)
        if self.kind == "int" and value != int(value):
            raise ValueError("allowed whole numbers")
        if not self.low <= value <= self.high:
            raise ValueError(f"allowed {self.low:g} to {self.high:g}")
        return int(value) if self.kind == "int" else value

    def at(self, share: float) -> float | int | str:
        """The value that lies at a share (0 to below 1) of the way: uniform shares give uniform draws."""
        if self.kind == "choice":
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.kind == "int":
            return self._whole(share)
        if self.step is not None:
            steps = int((self.high - self.low) / self.step + 1e-9) + 1
            return self.low + min(int(share * steps), steps - 1) * self.step
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = low + share * (high - low)
        return min(max(math.exp(value) if self.log else value, self.low), self.high)

    def _whole(self, share: float) -> int:
        step = int(self.step or 1)
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return int(min(max(round(math.exp(low + share * (high - low))), self.low), self.high))
        steps = int(self.high - self.low) // step + 1
        return int(self.low) + min(int(share * steps), steps - 1) * step

    @property
    def described(self) -> str:
        """As a space file writes it: equal texts are equal spaces."""
        if self.kind == "choice":
            text = " | ".join(self.choices)
        else:
            text = f"{self.kind} [{self.low:g}, {self.high:g}]"
            text += (" log" if self.log else "") + (f" step {self.step:g}" if self.step else "")
        conditions = " and ".join(f"{key}={'|'.join(allowed)}" for key, allowed in self.when)
        return f"{text} if {conditions}" if conditions else text


def parsed(key: str, rule: str, name: str = "", when: Sequence[Condition] = ()) -> Parameter:
    """The parameter that a rule describes, or UsageError in one line."""
    text, _, conditions = str(rule).partition(" if ")
    also = tuple(_condition(key, part) for part in conditions.split(" and ")) if conditions else ()
    role, text = _role(text)
    if role == "fixed":
        parameter = _fixed(key, text)
    else:
        parameter = _number(key, text) if text.split(" ")[0] in ("float", "int") else _choice(key, text)
    return replace(parameter, name=name or key, when=(*when, *also), role=role)


def _role(text: str) -> tuple[str, str]:
    first, _, rest = text.partition(" ")
    return (first, rest.strip()) if first in ROLES else ("", text)


def _fixed(key: str, text: str) -> Parameter:
    if not text or "|" in text or text.split(" ")[0] in ("float", "int"):
        raise UsageError(f"space.{key}: got fixed {text}, allowed fixed and one value")
    return Parameter(key, key, "choice", choices=(text,))


def from_override(override: Override) -> Parameter:
    """The parameter of a swept override: choice, range, interval, `tag(log, interval(…))`, glob."""
    key, sweep = override.key_or_group, override.value()
    tags = sorted(sweep.tags) if isinstance(sweep, Sweep) else []
    if unknown := [tag for tag in tags if tag not in ("log", "int", "float")]:
        raise UsageError(f"{key}: got tag {unknown[0]}, allowed log | int | float")
    if isinstance(sweep, IntervalSweep):
        return _interval(key, sweep, "log" in tags)
    if isinstance(sweep, RangeSweep) and not sweep.shuffle and (points := _whole_numbers(sweep)):
        step = None if points.step == 1 else float(points.step)
        _refuse_log(key, points[0], "log" in tags)
        if step and "log" in tags:
            raise UsageError(f"{key}: got log and a step of {points.step}, allowed one of them")
        return Parameter(key, key, "int", float(points[0]), float(points[-1]), "log" in tags, step)
    texts = tuple(dict.fromkeys(override.sweep_string_iterator())) if override.is_discrete_sweep() else ()
    if not texts:
        raise UsageError(f"{key}: got nothing to sweep, {override.get_value_string()} is empty")
    assert isinstance(sweep, ChoiceSweep | RangeSweep) or texts
    return Parameter(key, key, "choice", choices=texts)


def drawn(parameters: Iterable[Parameter], value_of: "Mapping[str, object]") -> Point:
    """The point whose values stand in a mapping by name."""
    point: Point = {}
    for parameter in parameters:
        if parameter.exists_in(point) and parameter.name in value_of:
            point[parameter.key] = parameter.written(value_of[parameter.name])
    return point


def named(parameters: Iterable[Parameter], point: Mapping[str, str]) -> dict[str, object]:
    """A point of override texts as the study's names and values; what is outside the space is left to be drawn."""
    values: dict[str, object] = {}
    for parameter in parameters:
        if parameter.key not in point or not parameter.exists_in(point):
            continue
        try:
            values[parameter.name] = parameter.read(point[parameter.key])
        except ValueError:
            continue
    return values


def is_same(one: str, other: str) -> bool:
    """Whether two overrides' values are one: 1e-3 and 0.001, [64, 32] and [64,32]."""
    return one == other or _typed(one) == _typed(other)


def _typed(text: str) -> object:
    text = text.replace(" ", "")
    if text[:1] == "[" and text[-1:] == "]":
        return [_typed(part) for part in text[1:-1].split(",")]
    try:
        return float(text)
    except ValueError:
        return text


def overrides_of(point: Point) -> list[str]:
    """The point as words of a command line."""
    return [f"{key}={value}" for key, value in point.items()]


def size(parameters: Sequence[Parameter]) -> int | None:
    """How many points a finite space has; None where it is not finite."""
    if any(parameter.kind == "float" and parameter.step is None for parameter in parameters):
        return None
    return _count(parameters, {})


def every_point(parameters: Sequence[Parameter], point: Point | None = None) -> Iterator[Point]:
    """All points of a finite space, one after another; the last parameter changes fastest."""
    point = point or {}
    if not parameters:
        yield point
        return
    first, *rest = parameters
    if not first.exists_in(point):
        yield from every_point(rest, point)
        return
    for text in _texts(first):
        yield from every_point(rest, {**point, first.key: text})


def _count(parameters: Sequence[Parameter], point: Point) -> int:
    """Without a look at points that differ in what nothing depends on."""
    if not parameters:
        return 1
    first, *rest = parameters
    if not first.exists_in(point):
        return _count(rest, point)
    if any(key == first.key for one in rest for key, _ in one.when):
        return sum(_count(rest, {**point, first.key: text}) for text in _texts(first))
    return (len(first.choices) or _steps(first)) * _count(rest, point)


def _steps(parameter: Parameter) -> int:
    return int((parameter.high - parameter.low) / (parameter.step or 1) + 1e-9) + 1


def _texts(parameter: Parameter) -> Iterable[str]:
    if parameter.kind == "choice":
        return parameter.choices
    step = parameter.step or 1
    values = (parameter.low + number * step for number in range(_steps(parameter)))
    return (parameter.written(int(value) if parameter.kind == "int" else value) for value in values)


def _number(key: str, text: str) -> Parameter:
    found = _NUMBER.fullmatch(text.strip())
    kind: Literal["float", "int"] = "int" if text.startswith("int") else "float"
    try:
        assert found
        low, high = float(found["low"]), float(found["high"])
        step = float(found["step"]) if found["step"] else None
    except (AssertionError, ValueError):
        raise UsageError(f"space.{key}: got {text}, allowed {kind} [low, high], then log or step s") from None
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"space.{key}: got {text}, allowed a low below its high; fix the value with {key}={low:g}")
    if kind == "int" and (low != int(low) or high != int(high) or (step or 1) != int(step or 1)):
        raise UsageError(f"space.{key}: got {text}, allowed whole numbers")
    if step is not None and (step <= 0 or found["log"]):
        raise UsageError(f"space.{key}: got {text}, allowed a step above 0, and not with log")
    if kind == "float":
        inside = INSIDE * (high - low)
        low, high = low + inside * (found["from"] == "("), high - inside * (found["to"] == ")")
    elif "(" in found["from"] or ")" in found["to"]:
        raise UsageError(f"space.{key}: got {text}, allowed int [low, high], both ends among them")
    _refuse_log(key, low, bool(found["log"]))
    return Parameter(key, key, kind, low, high, bool(found["log"]), step)


def _choice(key: str, text: str) -> Parameter:
    choices = tuple(part.strip() for part in text.split("|"))
    if not all(choices) or len(choices) < 2:
        hint = "float [low, high], int [low, high] or a | b"
        raise UsageError(f"space.{key}: got {text or 'nothing'}, allowed {hint}")
    return Parameter(key, key, "choice", choices=tuple(dict.fromkeys(choices)))


def _condition(owner: str, text: str) -> Condition:
    key, _, allowed = text.strip().partition("=")
    if not key or not allowed:
        raise UsageError(f"space.{owner}: got the condition {text.strip()}, allowed key=value, several as key=a|b")
    return key, tuple(part.strip() for part in allowed.split("|"))


def _interval(key: str, sweep: IntervalSweep, log: bool) -> Parameter:
    low, high = float(sweep.start or 0.0), float(sweep.end or 0.0)
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"{key}: got interval({low:g},{high:g}), allowed a low below its high")
    _refuse_log(key, low, log)
    whole = isinstance(sweep.start, int) and isinstance(sweep.end, int) and "int" in sweep.tags
    return Parameter(key, key, "int" if whole else "float", low, high, log)


def _refuse_log(key: str, low: float, log: bool) -> None:
    if log and low <= 0:
        raise UsageError(f"{key}: got a logarithmic interval from {low:g}, allowed from above 0")


def _whole_numbers(sweep: RangeSweep) -> range | None:
    """Rising whole numbers, two or more; None for any other range."""
    ends = (sweep.start, sweep.stop, sweep.step)
    if not all(isinstance(one, int) for one in ends):
        return None
    points = range(*map(int, (one for one in ends if one is not None)))
    return points if len(points) > 1 and points.step > 0 else None
