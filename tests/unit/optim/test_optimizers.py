"""Fifty steps of every optimizer in float64 against its paper's rule, on a quadratic and on a small network."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from descent.assembly import assemble
from descent.dry_run import price
from descent.errors import UsageError
from descent.optim.building import ClosureStep
from reference import optimizers as papers
from reference.by_hand import Perceptron
from reference.trained import TABLE, trained

CONF = Path(__file__).parents[3] / "conf" / "optimizer"
STEPS = 50
SMALL = ("dataset=synthetic", "dataset.samples=40", "tracking=none", "threads=1")

# overrides, the rule; both know the same lr and decay
RULES = {
    "gd": (["optimizer=gd", "lr=0.05"], papers.Descent(0.05)),
    "sgd": (["optimizer=sgd", "lr=0.05", "weight_decay=0.1"], papers.Descent(0.05, 0.1)),
    "momentum": (["optimizer=momentum", "lr=0.02", "weight_decay=0.1"], papers.Momentum(0.02, 0.1)),
    "momentum dampened": (
        ["optimizer=momentum", "lr=0.1", "optimizer.dampening=0.9"],
        papers.Momentum(0.1, dampening=0.9),
    ),
    "nesterov": (["optimizer=nesterov", "lr=0.02", "weight_decay=0.1"], papers.Momentum(0.02, 0.1, look_ahead=True)),
    "adagrad": (["optimizer=adagrad", "lr=0.1", "weight_decay=0.1"], papers.Adagrad(0.1, 0.1)),
    "adagrad as Keras": (
        ["optimizer=adagrad", "lr=0.1", "optimizer.initial_accumulator_value=0.1", "optimizer.lr_decay=0.02"],
        papers.Adagrad(0.1, start=0.1, lr_decay=0.02),
    ),
    "adadelta": (["optimizer=adadelta", "lr=1", "weight_decay=0.1"], papers.Adadelta(1.0, 0.1)),
    "adadelta other": (
        ["optimizer=adadelta", "lr=0.5", "optimizer.rho=0.8", "optimizer.eps=1e-4"],
        papers.Adadelta(0.5, rho=0.8, eps=1e-4),
    ),
    "rmsprop": (["optimizer=rmsprop", "lr=0.01", "weight_decay=0.1"], papers.RMSprop(0.01, 0.1)),
    "rmsprop centred": (
        [
            "optimizer=rmsprop",
            "lr=0.01",
            "optimizer.centered=true",
            "optimizer.momentum=0.8",
            "optimizer.alpha=0.9",
            "optimizer.eps=1e-4",
        ],
        papers.RMSprop(0.01, centred=True, momentum=0.8, alpha=0.9, eps=1e-4),
    ),
    "adam": (["optimizer=adam", "lr=0.05", "weight_decay=0.1"], papers.Adam(0.05, 0.1)),
    "adam with amsgrad": (["optimizer=adam", "lr=0.05", "optimizer.amsgrad=true"], papers.Adam(0.05, largest=True)),
    "adamw": (["optimizer=adamw", "lr=0.05", "weight_decay=0.1"], papers.AdamW(0.05, 0.1)),
    "nadam": (["optimizer=nadam", "lr=0.05", "weight_decay=0.1"], papers.NAdam(0.05, 0.1)),
    "nadam decoupled": (
        ["optimizer=nadam", "lr=0.05", "weight_decay=0.1", "optimizer.decoupled_weight_decay=true"],
        papers.NAdamW(0.05, 0.1),
    ),
    "radam": (["optimizer=radam", "lr=0.05", "weight_decay=0.1"], papers.RAdam(0.05, 0.1)),
    "radam decoupled": (
        ["optimizer=radam", "lr=0.05", "weight_decay=0.1", "optimizer.decoupled_weight_decay=true"],
        papers.RAdamW(0.05, 0.1),
    ),
    "adamax": (["optimizer=adamax", "lr=0.05", "weight_decay=0.1"], papers.Adamax(0.05, 0.1)),
    "asgd": (
        ["optimizer=asgd", "lr=0.05", "weight_decay=0.1", "optimizer.lambd=0.5", "optimizer.t0=10"],
        papers.AveragedDescent(0.05, 0.1, lambd=0.5, t0=10),
    ),
    "rprop": (["optimizer=rprop", "lr=0.02"], papers.Rprop(0.02)),
    "rprop bounded": (
        ["optimizer=rprop", "lr=0.02", "optimizer.etas=[0.4,1.4]", "optimizer.step_sizes=[0.001,0.05]"],
        papers.Rprop(0.02, shrink=0.4, grow=1.4, shortest=0.001, longest=0.05),
    ),
    "adafactor": (["optimizer=adafactor", "lr=0.05", "weight_decay=0.1"], papers.Adafactor(0.05, 0.1)),
    "adafactor other": (
        ["optimizer=adafactor", "lr=0.5", "optimizer.d=1.5", "optimizer.beta2_decay=-0.5"],
        papers.Adafactor(0.5, d=1.5, forget=-0.5),
    ),
    "lion": (["optimizer=lion", "lr=0.01", "weight_decay=0.1"], papers.Lion(0.01, 0.1)),
    "lion other": (["optimizer=lion", "lr=0.01", "optimizer.betas=[0.7,0.9]"], papers.Lion(0.01, beta1=0.7, beta2=0.9)),
    "muon": (["optimizer=muon", "lr=0.05", "weight_decay=0.1"], papers.Muon(0.05, 0.1)),
    "muon plain": (
        ["optimizer=muon", "lr=0.05", "weight_decay=0", "optimizer.nesterov=false", "optimizer.momentum=0.8"],
        papers.Muon(0.05, look_ahead=False, momentum=0.8),
    ),
}


def test_every_optimizer_has_a_rule():
    assert {path.stem for path in CONF.glob("*.yaml")} == {name.split()[0] for name in RULES} | {"lbfgs"}


class Quadratic(nn.Module):
    """(theta - centre)' A (theta - centre) / 2 over a matrix and a bias, with eigenvalues from 0.1 to 10."""

    def __init__(self):
        super().__init__()
        draw = np.random.default_rng(1)
        basis = np.linalg.qr(draw.normal(size=(16, 16)))[0]
        self.curvature = basis @ np.diag(np.logspace(-1, 1, 16)) @ basis.T
        self.centre = draw.normal(size=16)
        self.weight = nn.Parameter(torch.from_numpy(draw.normal(size=(4, 3))))
        self.bias = nn.Parameter(torch.from_numpy(draw.normal(size=4)))

    def forward(self):
        away = torch.cat([self.weight.flatten(), self.bias]) - torch.from_numpy(self.centre)
        return away @ torch.from_numpy(self.curvature) @ away / 2

    def gradients(self, arrays):
        away = np.concatenate([array.ravel() for array in arrays]) - self.centre
        flat = self.curvature @ away
        return [flat[:12].reshape(4, 3), flat[12:]]


class Network(nn.Module):
    """Five inputs, six tanh units, three classes, one fixed minibatch of twenty."""

    def __init__(self):
        super().__init__()
        draw = np.random.default_rng(2)
        self.inputs, self.classes = draw.normal(size=(20, 5)), draw.integers(0, 3, 20)
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()

    def forward(self):
        outputs = self.layers(torch.from_numpy(self.inputs))
        return nn.functional.cross_entropy(outputs, torch.from_numpy(self.classes))

    def gradients(self, arrays):
        return Perceptron(arrays, "tanh").gradients(self.inputs, self.classes, "cross_entropy")[1]


PROBLEMS = {"quadratic": Quadratic, "network": Network}


def arrays_of(problem):
    return [parameter.detach().numpy().copy() for parameter in problem.parameters()]


def recipe_of(composed, overrides):
    return assemble(composed(*SMALL, *overrides)).engine.recipe


def stepped(problem, recipe, steps=STEPS):
    """The product's own optimizer and owner of the step."""
    optimizer = recipe.optimizer(problem)

    def gradients():
        for parameter in problem.parameters():
            parameter.grad = None
        loss = problem()
        loss.backward()
        return loss.detach()

    for _ in range(steps):
        recipe.owner.step(gradients, optimizer)
    return arrays_of(problem), optimizer


def by_paper(problem, rule, steps=STEPS):
    """Each array under a rule of its own; decay on matrices only."""
    arrays = arrays_of(problem)
    knobs = {name: value for name, value in vars(rule).items() if name not in ("lr", "decay", "t")}
    rules = [type(rule)(rule.lr, rule.decay if array.ndim > 1 else 0.0, **knobs) for array in arrays]
    for _ in range(steps):
        gradients = problem.gradients(arrays)
        arrays = [one.advance(w, g) for one, w, g in zip(rules, arrays, gradients, strict=True)]
    return arrays, rules


def distance(ours, theirs):
    return max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", [name for name in RULES if "muon" not in name])
def test_fifty_steps(composed, name, problem):
    overrides, rule = RULES[name]
    begun = arrays_of(PROBLEMS[problem]())
    ours, _ = stepped(PROBLEMS[problem](), recipe_of(composed, overrides))
    theirs, _ = by_paper(PROBLEMS[problem](), rule)
    assert distance(ours, begun) > 0.01
    assert distance(ours, theirs) < 1e-6


def test_the_average_of_averaged_descent(composed):
    overrides, rule = RULES["asgd"]
    _, optimizer = stepped(Network(), recipe_of(composed, overrides))
    _, rules = by_paper(Network(), rule)
    averages = {tuple(w.shape): state["ax"].numpy() for w, state in optimizer.state.items()}
    for one in rules:
        np.testing.assert_allclose(averages[one.average.shape], one.average, atol=1e-9)


# Muon orthogonalises in bfloat16, whose numbers have three digits; a direction without a gradient gets their noise

MUON_TOLERANCE = 0.1  # of the way that a parameter has gone


def apart(ours, theirs, begun):
    return max(np.linalg.norm(a - b) / np.linalg.norm(b - c) for a, b, c in zip(ours, theirs, begun, strict=True))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", ["muon", "muon plain"])
def test_fifty_steps_of_muon(composed, name, problem):
    overrides, rule = RULES[name]
    begun = arrays_of(PROBLEMS[problem]())
    ours, _ = stepped(PROBLEMS[problem](), recipe_of(composed, overrides))
    theirs, _ = by_paper(PROBLEMS[problem](), rule)
    wrong, _ = by_paper(PROBLEMS[problem](), RULES["muon plain" if name == "muon" else "muon"][1])
    assert apart(ours, theirs, begun) < MUON_TOLERANCE < apart(ours, wrong, begun)


def test_muon_steps_in_every_direction_alike(composed):
    """The singular values of its step are near one another where those of the gradient are not."""
    before, *_ = arrays_of(Quadratic())
    (after, *_), _ = stepped(Quadratic(), recipe_of(composed, ["optimizer=muon", "weight_decay=0"]), 1)
    step = np.linalg.svd(after - before)[1]
    gradient = np.linalg.svd(Quadratic().gradients(arrays_of(Quadratic()))[0])[1]
    assert step.max() / step.min() < 2 and gradient.max() / gradient.min() > 7


def test_the_parts_of_muon_share_groups_and_state(composed):
    recipe = recipe_of(composed, ["optimizer=muon", "weight_decay=0.1"])
    problem = Network()
    _, optimizer = stepped(problem, recipe, 3)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    state = copy.deepcopy(optimizer.state_dict())
    other = Network()
    other.load_state_dict(problem.state_dict())
    again = recipe.optimizer(other)
    again.load_state_dict(state)
    for one in (optimizer, again):
        for group in one.param_groups:
            group["lr"] = 0.5
    for one, made in ((problem, optimizer), (other, again)):
        made.zero_grad()
        one().backward()
        made.step()
    assert distance(arrays_of(problem), arrays_of(other)) == 0
    assert set(again.state) == set(other.parameters())


# L-BFGS


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


@pytest.mark.parametrize(("problem", "lr"), [("quadratic", 1.0), ("quadratic", 0.3), ("network", 0.3)])
def test_fifty_steps_of_lbfgs(composed, problem, lr):
    """One inner iteration a step and no line search: the two-loop recursion."""
    model = PROBLEMS[problem]()
    shapes = [array.shape for array in arrays_of(model)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]

    def gradient(point):
        arrays = [part.reshape(shape) for part, shape in zip(np.split(point, ends), shapes, strict=True)]
        return flat(model.gradients(arrays))

    theirs = papers.lbfgs(flat(arrays_of(model)), gradient, STEPS, lr)
    bare = ["optimizer.max_iter=1", "optimizer.line_search_fn=null", "optimizer.tolerance_change=0"]
    ours, _ = stepped(model, recipe_of(composed, ["optimizer=lbfgs", f"lr={lr}", *bare]))
    np.testing.assert_allclose(flat(ours), theirs, atol=1e-6)


def test_lbfgs_finds_the_minimum_of_a_quadratic(composed):
    problem = Quadratic()
    ours, _ = stepped(problem, recipe_of(composed, ["optimizer=lbfgs", "optimizer.tolerance_change=0"]), 5)
    np.testing.assert_allclose(flat(ours), problem.centre, atol=1e-6)


# What is decayed, and who steps


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_decay_acts_on_weights_only(composed, name):
    """Without a gradient a step is nothing but decay, where the optimizer has any."""

    def made(decay):
        recipe = recipe_of(composed, [f"optimizer={name}", f"weight_decay={decay}", "lr=0.1"])
        return recipe.optimizer(Network()).param_groups

    if name in ("lbfgs", "rprop"):
        with pytest.raises(UsageError, match=r"^weight_decay: got 0.1, allowed 0 with an optimizer that has none"):
            made(0.1)
        return
    shapes = {group["weight_decay"]: {parameter.ndim for parameter in group["params"]} for group in made(0.1)}
    assert shapes == {0.1: {2}, 0.0: {1}}
    assert {group["weight_decay"] for group in made(0.0)} == {0.0}


def test_a_closure_is_for_those_that_need_it(composed):
    owners = {path.stem: type(recipe_of(composed, [f"optimizer={path.stem}"]).owner) for path in CONF.glob("*.yaml")}
    assert [name for name, owner in owners.items() if owner is ClosureStep] == ["lbfgs"]


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["optimizer=gd", "batch_size=32"], "optimizer: got gd, allowed with batch_size=full"),
        (["optimizer=nesterov", "optimizer.nesterov=false"], "optimizer.nesterov: got false, allowed true"),
        (["optimizer=rprop", "scheduler=one_cycle"], "scheduler: got one_cycle, allowed constant with optimizer=rprop"),
        (["optimizer=adafactor", "optimizer.d=0.5"], "optimizer.d: got 0.5, allowed float [1, inf)"),
        (["optimizer=muon", "optimizer.ns_steps=100"], "optimizer.ns_steps: got 100, allowed int [1, 99]"),
        (["optimizer=lbfgs", "optimizer.line_search_fn=wolfe"], "optimizer.line_search_fn: got wolfe, allowed strong_"),
    ],
)
def test_what_is_refused(composed, overrides, line):
    with pytest.raises(UsageError) as refusal:
        composed(*overrides)
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize("choice", [("lbfgs",), ("muon", "lr=0.02"), ("lion", "lr=0.01")], ids="".join)
def test_the_engine_trains_with_it(choice):
    run = trained(*TABLE, f"optimizer={choice[0]}", *choice[1:], "epochs=15", "restore=last")
    history = [value for _, value in run.engine.history["train/loss"]]
    assert history[-1] < 0.7 * history[0] and len(history) == 15


@pytest.mark.parametrize("choice", ["optimizer=lbfgs", "optimizer=muon", "optimizer=gd", "regularization=[sam]"])
def test_the_price_of_whoever_makes_the_steps(composed, choice):
    cost = price(composed(*SMALL, choice, "model=linear", "epochs=3"))
    assert cost.steps == 3 and cost.seconds > 0
