"""The verdict: what is the matter, in words, with the numbers behind it and what to try next."""

from collections.abc import Mapping
from dataclasses import dataclass

from descent.diagnosis import remedies
from descent.diagnosis.evidence import Evidence
from descent.diagnosis.signs import SIGNS

HEALTHY = "healthy"
FINE = "learns the training data, keeps up on validation, and is done learning"


@dataclass(frozen=True)
class Finding:
    """One sign that was found."""

    sign: str
    rule: str
    numbers: dict[str, float]
    overrides: tuple[str, ...]

    @property
    def line(self) -> str:
        """As a person reads it."""
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.numbers.items())
        return f"{self.sign}: {self.rule}" + (f" ({numbers})" if numbers else "")


def findings(evidence: Evidence, choices: Mapping[str, str]) -> tuple[Finding, ...]:
    """The verdict first, then what else was seen; never empty."""
    found: list[Finding] = []
    for sign in SIGNS:
        if sign.is_rest and found:
            continue
        if (numbers := sign.found(evidence)) is not None:
            found.append(_finding(evidence, choices, sign.name, sign.rule, numbers))
    gaps = {"gap of the error": evidence.gap, "gap of the loss": evidence.loss_gap}
    return tuple(found) or (_finding(evidence, choices, HEALTHY, FINE, gaps),)


def _finding(
    evidence: Evidence, choices: Mapping[str, str], name: str, rule: str, numbers: dict[str, float]
) -> Finding:
    words = remedies.overrides(name, evidence.settings, choices, numbers.get("epochs needed"))
    return Finding(name, rule, numbers, tuple(words))
