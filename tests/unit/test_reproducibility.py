"""Every draw is a function of the seed and of what it is for."""

import itertools
from collections import Counter

import pytest
import torch

from descent.reproducibility import Noise, computing, epoch_order, seeded, stream

CPU = torch.device("cpu")
PINNED_STREAM = 4188667365335418757
PINNED_ORDER = [2, 0, 3, 6, 5, 7, 4, 1]


def drawn(noise, epoch, minibatch):
    noise.at(epoch, minibatch)
    return torch.rand(4)


def test_streams_differ_by_seed_and_purpose():
    keys = [(seed, *purpose) for seed in (0, 1, 2**32 - 1) for purpose in (("a",), ("b",), ("a", 0), ("a", 1), ("a0",))]
    streams = [stream(*key) for key in keys]
    assert len(set(streams)) == len(keys) and all(0 <= one < 2**64 for one in streams)
    assert stream(0, "order", 3) == stream(0, "order", 3)


def test_streams_are_pinned():
    """Old runs are reproduced by this function: it must not change."""
    assert stream(0, "order", 0) == PINNED_STREAM
    assert epoch_order(0, 0, 8).tolist() == PINNED_ORDER


def test_an_order_is_a_permutation_of_its_own():
    orders = [tuple(epoch_order(seed, epoch, 50).tolist()) for seed in (0, 1) for epoch in range(4)]
    assert all(sorted(order) == list(range(50)) for order in orders) and len(set(orders)) == 8
    torch.manual_seed(99)
    assert tuple(epoch_order(0, 0, 50).tolist()) == orders[0]


def test_orders_are_fair():
    """Each of 5 samples comes first in about a fifth of 2,000 epochs."""
    first = Counter(int(epoch_order(3, epoch, 5)[0]) for epoch in range(2000))
    assert all(abs(count - 400) < 90 for count in first.values())  # five standard deviations


def test_noise_is_a_function_of_its_place():
    noise = Noise(7, CPU)
    here = drawn(noise, 2, 5)
    torch.rand(1000)
    drawn(noise, 0, 0)
    assert torch.equal(drawn(noise, 2, 5), here) and torch.equal(drawn(Noise(7, CPU), 2, 5), here)


def test_no_two_places_share_their_noise():
    seen = {
        tuple(drawn(Noise(seed, CPU), epoch, minibatch).tolist())
        for seed, epoch, minibatch in itertools.product((0, 1, 2), (0, 1, 2, 255), (0, 1, 2, 3, 1000))
    }
    assert len(seen) == 3 * 4 * 5


def test_neighbouring_places_are_unrelated():
    noise = Noise(0, CPU)
    rows = []
    for place in range(200):
        noise.at(0, place)
        rows.append(torch.rand(64))
    correlation = torch.corrcoef(torch.stack(rows)) - torch.eye(200)
    assert correlation.abs().max() < 0.65  # of 19,900 pairs with a deviation of 1/8, the largest is about 0.5


def test_seeded_leaves_the_generator_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(0, "initialisation"):
        one = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(0, "initialisation"):
        assert torch.equal(torch.rand(3), one)
    for other in ((1, "initialisation"), (0, "else")):
        with seeded(*other):
            assert not torch.equal(torch.rand(3), one)


def test_seeded_restores_after_an_error():
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(0, "x"):
        torch.rand(1)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("exact", [True, False])
def test_computing_sets_and_restores(exact):
    torch.set_num_threads(1)
    before = torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError), computing(2, exact):
        assert torch.get_num_threads() == 2 and torch.are_deterministic_algorithms_enabled() == exact
        raise RuntimeError
    assert torch.get_num_threads() == 1 and torch.are_deterministic_algorithms_enabled() == before
