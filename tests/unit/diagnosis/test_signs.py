"""Verdicts on curves whose answer is known, and on each sign's edge."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from descent.diagnosis.curves import drift, roughness, smooth
from descent.diagnosis.signs import SIGNS
from descent.diagnosis.verdict import HEALTHY, findings
from unit.diagnosis.planted import CHANCE, KINDS, planted

SETS = 40  # of each kind


@pytest.fixture(scope="module")
def answers():
    return {kind: Counter(findings(planted(kind, seed), {})[0].sign for seed in range(SETS)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_is_mistaken_often(answers, kind):
    assert answers[kind][kind] >= 0.9 * SETS, answers[kind]


def test_nearly_all_are_right(answers):
    assert sum(answers[kind][kind] for kind in KINDS) >= 0.95 * SETS * len(KINDS)


def test_every_sign_is_planted():
    assert {sign.name for sign in SIGNS} | {HEALTHY} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_does_not_hang_on_the_unit_of_the_loss(kind):
    """Everything is a share: a loss in another unit is the same training."""
    found = planted(kind, 1)
    other = replace(
        found,
        train=found.train * 7,
        val=found.val * 7,
        steps=found.steps * 7,
        chance=found.chance * 7,
        losses={split: loss * 7 for split, loss in found.losses.items()},
    )
    assert [one.sign for one in findings(other, {})] == [one.sign for one in findings(found, {})]


@pytest.mark.parametrize("epochs", [0, 1, 2, 3])
@pytest.mark.parametrize("validated", [True, False])
def test_a_short_training_has_a_verdict(epochs, validated):
    found = planted("healthy", 0)
    short = replace(
        found,
        train=found.train[:epochs],
        val=found.val[: epochs if validated else 0],
        steps=found.steps[: 20 * epochs],
        norms=found.norms[:epochs],
        losses={} if not validated else found.losses,
        errors={"train": 0.01} if not validated else found.errors,
    )
    assert findings(short, {})[0].sign in {*KINDS}


def test_a_loss_that_is_not_finite_is_diverging():
    found = planted("healthy", 0)
    broken = replace(found, train=found.train[:2], val=found.val[:2], diverged=True, errors={}, losses={}, layers=())
    assert findings(broken, {})[0].sign == "diverging"


def test_the_gap_is_of_honest_numbers():
    """Under dropout the trained loss is above validation's: only the honest numbers tell that training is ahead."""
    found = planted("healthy", 0)
    hidden = replace(found, errors={"train": 0.0, "val": 0.3}, losses={"train": 0.1, "val": 0.12})
    assert findings(hidden, {})[0].sign == "over-fitting"
    assert findings(hidden, {})[0].numbers["gap of the error"] == pytest.approx(0.3)


# Numbers off a curve


def test_a_straight_line_falls_by_what_it_falls():
    fall, certainty = drift(np.linspace(5, 2, 40))
    assert fall == pytest.approx(3) and certainty > 1e6


def test_noise_around_a_line_is_known_to_its_standard_error():
    """In 95 % of draws the true fall is within two standard errors of the one that is found."""
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        fall, certainty = drift(np.linspace(1, 0, 50) + 0.5 * random.standard_normal(50))
        inside += abs(fall - 1) <= 2.01 * abs(fall) / certainty
    assert 0.92 <= inside / 400 <= 0.98


def test_roughness_is_the_deviation_of_the_noise():
    random = np.random.default_rng(1)
    curve = 2.0 + 0.1 * random.standard_normal(4000)
    assert roughness(curve) == pytest.approx(0.05, rel=0.1)
    assert roughness(np.linspace(3, 1, 50)) == pytest.approx(0, abs=1e-12)


def test_a_spike_leaves_no_trace_in_the_smooth_curve():
    curve = np.linspace(2, 1, 30)
    curve[11] = 40
    assert smooth(curve).max() <= 2 and CHANCE > 2


def test_the_page_has_every_rule():
    page = (Path(__file__).parents[3] / "docs" / "diagnosis.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row.strip("| ").split(" | ")[:2] for row in rows] == [[sign.name, sign.rule] for sign in SIGNS]
