"""One step of an optimizer: the same as its own, quietly where nobody listens, and heard by everybody who does."""

import copy
import functools

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.profiler import ProfilerActivity, profile

from descent.regularization import method
from descent.regularization.sam import SAM

OPTIMIZERS = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD", "ASGD", "Rprop"]


@pytest.fixture
def weight():
    weight = nn.Parameter(torch.linspace(-1, 1, 6))
    weight.grad = torch.linspace(2, -1, 6)
    return weight


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_the_optimizers_own(weight, name):
    twin, start = copy.deepcopy(weight), weight.detach().clone()
    twin.grad = weight.grad.clone()
    stepped, own = (getattr(torch.optim, name)([parameter], lr=0.1) for parameter in (weight, twin))
    for _ in range(3):
        method.make_step(stepped)
        own.step()
    assert torch.equal(weight, twin) and not torch.equal(weight, start)


@pytest.mark.parametrize("owner", [method.StepOwner(), SAM(radius=0.05)], ids=["ordinary", "SAM"])
def test_without_a_listener_the_profiler_is_not_told(weight, monkeypatch, owner):
    told = []
    record = torch.autograd.profiler.record_function
    monkeypatch.setattr(torch.autograd.profiler, "record_function", lambda name: told.append(name) or record(name))
    optimizer, start = Adam([weight]), weight.detach().clone()
    if isinstance(owner, SAM):
        owner.prepare(nn.ParameterList([weight]))
    owner.step(lambda: torch.tensor(0.5), optimizer)
    assert told == [] and not torch.equal(weight, start)
    optimizer.step()
    assert told == ["Optimizer.step#Adam.step"]


def test_a_profiler_sees_it(weight):
    optimizer = Adam([weight])
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        method.make_step(optimizer)
    assert "Optimizer.step#Adam.step" in {event.key for event in seen.key_averages()}


def test_its_hooks_are_called(weight):
    heard, optimizer = [], SGD([weight], lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: heard.append("before"))
    method.make_step(optimizer)
    assert heard == ["before"]
    optimizer.register_step_post_hook(lambda *_: heard.append("after"))
    method.make_step(optimizer)
    assert heard == ["before", "before", "after"]


@pytest.mark.parametrize("register", [register_optimizer_step_pre_hook, register_optimizer_step_post_hook])
def test_hooks_of_all_optimizers_are_called(weight, register):
    heard = []
    handle = register(lambda *_: heard.append("any"))
    try:
        method.make_step(SGD([weight], lr=0.1))
    finally:
        handle.remove()
    assert heard == ["any"]


def test_what_an_instance_was_given_is_called(weight):
    heard, optimizer = [], SGD([weight], lr=0.1)
    optimizer.step = lambda: heard.append("instance")
    method.make_step(optimizer)
    assert heard == ["instance"]


def test_what_wraps_a_class_is_called(weight, monkeypatch):
    """functools.wraps copies torch's mark too."""
    heard = []
    SGD([weight], lr=0.1)  # torch wraps a class when its first optimizer is made
    whole = SGD.step

    @functools.wraps(whole)
    def wrapped(*args, **kwargs):
        heard.append("class")
        return whole(*args, **kwargs)

    monkeypatch.setattr(SGD, "step", wrapped)
    method.make_step(SGD([weight], lr=0.1))
    assert heard == ["class"]


def test_a_step_that_calls_its_parents(weight):
    class Twice(SGD):
        def step(self, closure=None):
            super().step(closure)
            return super().step(closure)

    start, slope = weight.detach().clone(), weight.grad.clone()
    method.make_step(Twice([weight], lr=0.1))
    torch.testing.assert_close(weight.detach(), start - 0.2 * slope)
