"""Where the best points lie in what was explored: warnings, and the ranges of a race that goes on from there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from descent.races.race import Knob, Race, Try

END = 0.1  # of the way: a best value this near to an end asks for a wider range
FEWEST = 4  # points for each number that a value is tuned over
WIDEST_GAP = 0.4  # of the way, beside the best point
KEPT = 0.25  # of the way to each side of the best, where it lies inside


@dataclass(frozen=True)
class Warning:
    """`kind` is what it is about."""

    kind: str
    workload: str
    value: str
    text: str


def boundary_warnings(race: Race) -> list[Warning]:
    """Numbers of best points that lie at an end of their range."""
    found = []
    for workload, value, best in _bests(race):
        for knob in _numbers(race, best):
            share = knob.share(best.point[knob.name])
            if min(share, 1 - share) < END:
                end, way = ("lower", "below") if share < 0.5 else ("upper", "above")
                text = f"{knob.name} {_short(best.point[knob.name])} is at the {end} end; look {way} {_range(knob)}"
                found.append(Warning("boundary", workload, value, text))
    return found


def coverage_warnings(race: Race) -> list[Warning]:
    """Too few points for what they have to cover, and bests beside which much was left out."""
    found = []
    for workload, value, best in _bests(race):
        finished = [one for one in race.searched(workload, value) if one.objective is not None]
        knobs = _numbers(race, best)
        if len(finished) < FEWEST * len(knobs):
            names = ", ".join(knob.name.rpartition("/")[2] for knob in knobs)
            text = f"{len(finished)} finished points; it takes {FEWEST * len(knobs)} at least to cover {names}"
            found.append(Warning("coverage", workload, value, text))
        for knob in knobs:
            if (gap := _gap(knob, best, finished)) > WIDEST_GAP:
                text = f"beside the best {knob.name} {100 * gap:.0f}% of its range have no finished point"
                found.append(Warning("coverage", workload, value, text))
    return found


def _bests(race: Race) -> list[tuple[str, str, Try]]:
    pairs = [(workload, value) for workload in race.workloads for value in race.values]
    return [(*pair, best) for pair in pairs if (best := race.best(*pair))]


def _numbers(race: Race, one: Try) -> list[Knob]:
    return [knob for knob in race.knobs if knob.name in one.point and not knob.choices]


def _gap(knob: Knob, best: Try, finished: Sequence[Try]) -> float:
    """The way from the best to its farther neighbour, or to the end where it has none."""
    own = knob.share(best.point[knob.name])
    shares = [knob.share(one.point[knob.name]) for one in finished if knob.name in one.point and one is not best]
    below = max((share for share in shares if share <= own), default=0.0)
    above = min((share for share in shares if share >= own), default=1.0)
    return max(own - below, above - own)


def proposed(race: Race) -> list[Knob]:
    """Each knob with its range in a next race: moved where a best is at an end, narrowed around the bests elsewhere."""
    found = []
    for knob in race.knobs:
        bests = [best.point[knob.name] for _, _, best in _bests(race) if knob.name in best.point]
        if not bests:
            found.append(knob)
        elif knob.choices:
            left = tuple(one for one in knob.choices if one in bests)
            found.append(replace(knob, choices=left))
        else:
            found.append(_moved(knob, [knob.share(one) for one in bests]))
    return found


def _moved(knob: Knob, shares: Sequence[float]) -> Knob:
    low, high = min(_window(one)[0] for one in shares), max(_window(one)[1] for one in shares)
    low, high = _inwards(knob, _end(knob, low), up=True), _inwards(knob, _end(knob, high), up=False)
    return replace(knob, low=low, high=high) if low < high else knob


def _inwards(knob: Knob, value: float, up: bool) -> float:
    """On the knob's grid, or with three digits (of the distance to 1, near it): never farther out than the value."""
    if knob.kind == "int" or knob.step is not None:
        size = knob.step or 1.0
        return knob.low + size * _whole((value - knob.low) / size, up)
    distance = 1 - value if 0.9 < value < 1 else abs(value)
    size = 10.0 ** (math.floor(math.log10(distance)) - 2) if distance else 1.0
    return float(f"{size * _whole(value / size, up):.12g}")


def _whole(value: float, up: bool) -> int:
    """What differs by rounding alone is whole already."""
    slack = 1e-9 * max(1.0, abs(value))
    return math.ceil(value - slack) if up else math.floor(value + slack)


def _window(share: float) -> tuple[float, float]:
    if min(share, 1 - share) < END:
        return share - 0.5, share + 0.5
    return max(0.0, share - KEPT), min(1.0, share + KEPT)


def _end(knob: Knob, share: float) -> float:
    """Without a logarithm what was above 0, or below 1, comes nearer to it and never there: it may not be allowed."""
    if not knob.log and knob.low >= 0 and knob.high <= 1 and share > 1:
        return 1 - (1 - knob.high) / 4
    least = 1.0 if knob.kind == "int" else knob.low / 4
    return max(min(knob.low, least), knob.at(share)) if knob.low >= 0 and not knob.log else knob.at(share)


def space_file(race: Race, command: str) -> str:
    """The next race as a space file, whose second line is its command."""
    lines = [
        "# @package _global_",
        f"# {command}",
        f"# What {race.name} proposes: its ranges moved to where its bests were.",
    ]
    lines += ["defaults:", "  - override /search: race", "space:"]
    lines += ["  workloads:", *(f"    - {one}" for one in race.listed)] if race.listed else []
    lines += ["  parameters:", *(f"    {key}: {rule!r}" for key, rule in race.kept.items())]
    lines += [f"    {knob.key or knob.name}: {rule_of(knob)!r}" for knob in proposed(race)]
    return "\n".join(lines) + "\n"


def rule_of(knob: Knob) -> str:
    """As a space file says it."""
    if knob.choices:
        rule = f"nuisance {' | '.join(knob.choices)}" if len(knob.choices) > 1 else f"fixed {knob.choices[0]}"
    else:
        rule = f"nuisance {knob.kind} {_range(knob)}"
    return f"{rule} if {knob.when}" if knob.when else rule


def _range(knob: Knob) -> str:
    end = f" step {knob.step:g}" if knob.step else " log" if knob.log else ""
    return f"[{knob.low:.10g}, {knob.high:.10g}]{end}"


def _short(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
