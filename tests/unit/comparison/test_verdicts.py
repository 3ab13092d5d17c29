"""The answer in a sentence says what the pairs say."""

import pytest

from descent.comparison.verdicts import leading, verdicts

LOW, HIGH = [0.90, 0.915, 0.92, 0.928, 0.94], [0.96, 0.97, 0.98, 0.99, 1.0]


def sample(values, first=0):
    return dict(enumerate(values, first))


def told(groups, best, margin=None):
    return leading(verdicts(groups, "maximize", margin), list(groups), best)


@pytest.mark.parametrize(("others", "says"), [(["b"], "the other"), (["b", "c"], "all 2 others")])
def test_who_beats_all_is_better(others, says):
    groups = {"a": sample(HIGH)} | {name: sample(LOW) for name in others}
    assert told(groups, "a") == f"a is better than {says}"


def test_who_cannot_be_told_apart_is_named():
    groups = {"a": sample(HIGH), "b": sample([0.95, 0.99, 0.97, 1.0, 0.96], 9), "c": sample(LOW)}
    assert told(groups, "a") == "a has the best mean, but it cannot be told apart from b"


def test_a_pair_that_says_the_contrary_is_not_passed_over():
    """The best mean comes from seeds that the other group has not had; on common ones the other is ahead."""
    groups = {"a": sample([0.5, 0.511, 0.52, 0.53]) | sample([0.99] * 4, 10), "b": sample([0.54, 0.55, 0.56, 0.57])}
    (pair,) = verdicts(groups, "maximize")
    assert pair.contrast.paired and pair.ahead == "b"
    assert told(groups, "a") == "a has the best mean, but on the seeds that both have it is behind b"


def test_what_is_alike_is_not_undecided():
    groups = {"a": sample([0.95, 0.96, 0.97]), "b": sample([0.95, 0.96, 0.968]), "c": sample([0.9, 0.97, 0.96])}
    assert told(groups, "a", 0.01) == "a has the best mean, but it cannot be told apart from c and it is alike to b"


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_better_side_is_ahead(direction):
    (pair,) = verdicts({"a": sample(HIGH), "b": sample(LOW)}, direction)
    assert pair.ahead == ("a" if direction == "maximize" else "b")
