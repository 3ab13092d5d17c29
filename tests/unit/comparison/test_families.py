"""Holm's correction against the closed testing that it is a short cut of."""

import itertools

import numpy as np
import pytest

from descent.comparison.families import holm


def by_closed_testing(chances):
    """A hypothesis falls with every intersection that it is part of, each tested by Bonferroni."""
    places = range(len(chances))
    sets = [chosen for size in range(1, len(chances) + 1) for chosen in itertools.combinations(places, size)]
    worst = {chosen: min(1.0, len(chosen) * min(chances[place] for place in chosen)) for chosen in sets}
    return [max(worst[chosen] for chosen in sets if place in chosen) for place in places]


@pytest.mark.parametrize("seed", range(8))
def test_it_is_closed_testing(seed):
    random = np.random.default_rng(seed)
    chances = (random.uniform(0, 1, 7) ** 4).tolist()
    chances[3] = chances[1]  # a tie
    assert holm(chances) == pytest.approx(by_closed_testing(chances))


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ([], []),
        ([0.2], [0.2]),
        ([None, None], [None, None]),
        ([0.01, None, 0.04], [0.02, None, 0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([1.0, 1.0], [1.0, 1.0]),
        ([0.0, 0.5], [0.0, 0.5]),
    ],
)
def test_of_a_few(chances, expected):
    assert holm(chances) == pytest.approx(expected)
