"""Smaller minibatches, of which more make a step: the steps stay what they are."""

import pytest

from descent import memory


def steps(rows, batch_size, accumulate, drop_last):
    """The samples that each step of an epoch sees."""
    batches = [range(start, min(start + batch_size, rows)) for start in range(0, rows, batch_size)]
    batches = [batch for batch in batches if len(batch) == batch_size or not drop_last]
    groups = [batches[start : start + accumulate] for start in range(0, len(batches), accumulate)]
    return [[row for batch in group for row in batch] for group in groups]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_each_step_sees_the_same_samples(accumulate, drop_last):
    for rows in (60, 97):
        for batch_size in range(1, 61):
            words = memory.divided(batch_size, accumulate, rows % batch_size if drop_last else 0)
            if words:
                smaller, more = (int(word.partition("=")[2]) for word in words)
                assert smaller < batch_size
                now = steps(rows, smaller, more, drop_last)
                assert now == steps(rows, batch_size, accumulate, drop_last), words


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "dropped", "words"),
    [
        (24, 1, 0, ["batch_size=12", "accumulate=2"]),
        (15, 2, 0, ["batch_size=5", "accumulate=6"]),
        (24, 1, 11, ["batch_size=12", "accumulate=2"]),
        (24, 1, 12, []),
        (37, 1, 0, []),
        (1, 1, 0, []),
    ],
)
def test_what_cannot_be_divided_is_not_tried_again(batch_size, accumulate, dropped, words):
    assert memory.divided(batch_size, accumulate, dropped) == words
