"""What the differences of groups come to, pair by pair, and in words."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from descent.comparison.contrast import Contrast, Sample, contrast
from descent.comparison.families import holm
from descent.comparison.power import ALPHA, runs_needed
from descent.vocabulary import Direction

MANY = 200  # runs of each group: who needs more has a difference that seldom matters
SIZES = {0.2: "negligible", 0.5: "small", 0.8: "medium", math.inf: "large"}  # of effects, as Cohen names them


@dataclass(frozen=True)
class Verdict:
    """Of two groups: who is ahead, if that can be said, and how many more runs of each would say it."""

    first: str
    second: str
    contrast: Contrast
    p: float | None  # as the family of all pairs makes it
    ahead: str | None
    more: int | None
    alike: bool  # whatever difference there is, it is smaller than what matters

    @property
    def can_be_said(self) -> bool:
        return self.ahead is not None or self.alike


def verdicts(groups: Mapping[str, Sample], direction: Direction, margin: float | None = None) -> list[Verdict]:
    """Of all pairs, in the order of the groups; `margin` is the smallest difference that matters."""
    pairs = list(itertools.combinations(groups, 2))
    found = [contrast(groups[first], groups[second]) for first, second in pairs]
    adjusted = holm([one.p for one in found])
    tests = sum(p is not None for p in adjusted)
    return [
        _verdict(first, second, one, p, direction, margin, tests)
        for (first, second), one, p in zip(pairs, found, adjusted, strict=True)
    ]


def _verdict(
    first: str, second: str, one: Contrast, p: float | None, direction: Direction, margin: float | None, tests: int
) -> Verdict:
    ahead = None
    if p is not None and p < ALPHA and one.difference:
        is_first = (one.difference > 0) == (direction == "maximize")
        ahead = first if is_first else second
    alike = False
    if margin is not None and one.low is not None and one.high is not None and min(one.counts) > 1:
        alike = -margin < one.low and one.high < margin
    more = None if ahead or alike else _more(one, margin, tests)
    return Verdict(first, second, one, p, ahead, more, alike)


def _more(one: Contrast, margin: float | None, tests: int) -> int | None:
    """Of the measured difference, or of the one that matters where that is larger. None: nobody can say, or 10,000."""
    if one.p is None or one.difference is None:
        return None
    wanted = max(abs(one.difference), margin or 0.0)
    if max(one.deviations) == 0:
        return None
    needed = runs_needed(wanted, one.deviations, ALPHA / max(tests, 1), paired=one.paired)
    return None if needed is None else max(needed - min(one.counts), 1)


def in_words(verdict: Verdict, digits: int = 4) -> str:
    """A sentence with its numbers."""
    one, pair = verdict.contrast, f"{verdict.first} and {verdict.second}"
    if one.p is None:
        lacking = " and ".join(f"{n}" for n in one.counts)
        runs = "runs" if max(one.counts) > 1 else "run"
        return f"{pair}: not enough runs to say ({lacking} {runs}); two of each are the least, five are better"
    assert one.difference is not None and verdict.p is not None
    if verdict.ahead:
        behind = verdict.second if verdict.ahead == verdict.first else verdict.first
        return f"{verdict.ahead} is better than {behind}: {_numbers(verdict, digits)}"
    if verdict.alike:
        return f"{pair} are alike: a difference that matters is ruled out; {_numbers(verdict, digits)}"
    if one.difference == 0 and max(one.deviations) == 0:
        return f"{pair}: the same in every run"
    return f"{pair}: {_not_said(verdict)}; {_numbers(verdict, digits)}"


def _not_said(verdict: Verdict) -> str:
    if verdict.more is None:
        return "no difference was found, and so small a one is out of reach"
    kind = "pairs" if verdict.contrast.paired else "of each"
    if verdict.more > MANY:
        return f"no difference was found; one of this size takes about {verdict.more:,} more {kind}"
    return f"not enough runs to say; about {verdict.more} more {kind} would, if the difference is as measured"


def _numbers(verdict: Verdict, digits: int) -> str:
    one = verdict.contrast
    assert one.difference is not None and one.low is not None and one.high is not None and verdict.p is not None
    sign = -1 if verdict.ahead == verdict.second else 1
    low, high = sorted((sign * one.low, sign * one.high))
    counts = f"{one.counts[0]} pairs" if one.paired else f"{one.counts[0]} and {one.counts[1]} runs"
    effect = "" if one.effect is None else f", effect {shown_effect(sign * one.effect)}"
    difference = f"{sign * one.difference:+.{digits}g} (95% {low:.{digits}g} to {high:.{digits}g})"
    return f"{difference}, p {shown_p(verdict.p)} over {counts}{effect}"


def shown_effect(effect: float) -> str:
    """`1.3 (large)`."""
    size = next(name for border, name in SIZES.items() if abs(effect) <= border)
    return f"{effect:.2g} ({size})" if math.isfinite(effect) else "beyond any deviation"


def shown_p(p: float) -> str:
    """`= 0.031`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def leading(verdicts_: Sequence[Verdict], groups: Sequence[str], best: str) -> str:
    """The answer in a sentence: who is first by the mean, and against how many that can be said."""
    own = [one for one in verdicts_ if best in (one.first, one.second)]
    beaten = [one for one in own if one.ahead == best]
    if own and len(beaten) == len(own):
        others = "the other" if len(groups) == 2 else f"all {len(groups) - 1} others"
        return f"{best} is better than {others}"
    rest = {one.second if one.first == best else one.first: one for one in own if one.ahead != best}
    parts = {
        "on the seeds that both have it is behind": [name for name, one in rest.items() if one.ahead],
        "it cannot be told apart from": [name for name, one in rest.items() if not one.can_be_said],
        "it is alike to": [name for name, one in rest.items() if one.alike and not one.ahead],
    }
    told = [f"{text} {_names(names)}" for text, names in parts.items() if names]
    return f"{best} has the best mean, but {' and '.join(told)}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + ("" if len(names) <= 4 else f" and {len(names) - 4} more")
