"""`lr=find` against bounds in closed form, against the rates that defaults have, and against the number it comes to."""

import csv
import json

import numpy as np
import pytest

from descent import assembly
from descent.errors import DataError
from descent.rate_search import HIGHEST, LOWEST, STEPS, drawn, search, suggestion
from reference.trained import TABLE, parts_of, trained

RATES = np.geomspace(LOWEST, HIGHEST, STEPS)


def found(*overrides):
    config, parts = parts_of("lr=find", *overrides)
    return search(config, parts.data)


# The rule


def descended(curvatures, noise=0.0, seed=0):
    """Losses of plain descent on a quadratic while the rate rises."""
    random = np.random.default_rng(seed)
    curvatures = np.asarray(curvatures, dtype=float)
    weights, losses = np.ones_like(curvatures), []
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in RATES:
            losses.append(0.5 * (curvatures * weights**2).sum() + noise * random.standard_normal())
            weights = weights - rate * curvatures * (weights + noise * random.standard_normal(len(weights)))
    return np.array(losses)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("curvatures", [[1.0], [1.0, 0.1, 0.01], [1.0] * 20, np.geomspace(1e-4, 1, 30)])
def test_on_a_quadratic_it_is_within_a_decade_below_the_bound(curvatures, scale, noise):
    bound = 2 / scale
    result = suggestion(RATES, scale * descended(np.asarray(curvatures) * scale, noise) / scale)
    assert bound / 10 < result.lr < bound
    assert result.edge == pytest.approx(10 * result.lr)


def test_the_steepest_point_of_a_round_quadratic_is_far_below_the_bound():
    smooth = descended([1.0])
    assert RATES[np.argmin(np.gradient(smooth[RATES < 2]))] < 0.2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_ends_the_curve(bad):
    losses = np.where(RATES < 0.1, 1 / (1 + 100 * RATES), bad)
    result = suggestion(RATES, losses)
    assert len(result.losses) == len(result.rates) == (RATES < 0.1).sum()
    assert result.edge == RATES[RATES < 0.1][-1]


@pytest.mark.parametrize(
    "losses", [np.ones(STEPS), np.linspace(1, 2, STEPS), np.full(STEPS, np.nan), 1 + 1e-3 * np.cos(np.arange(STEPS))]
)
def test_a_loss_that_never_falls_is_said(losses):
    with pytest.raises(DataError, match=r"^lr: find saw no fall of the loss"):
        suggestion(RATES, losses)


# The search


def test_descent_on_a_linear_model_is_below_two_over_the_largest_curvature():
    """The Hessian of the squared error is 2/(n·outputs) XᵀX, with a column of ones for the bias."""
    overrides = ("dataset=synthetic", "dataset.task=regression", "dataset.samples=300", "dataset.shape=[6]",
                 "model=linear", "optimizer=gd", "loss=mse")  # fmt: skip
    config, parts = parts_of("lr=find", *overrides)
    inputs = parts.engine.scaling(parts.data.train.inputs).double().numpy()
    design = np.column_stack([inputs, np.ones(len(inputs))])
    largest = np.linalg.eigvalsh(2 / (len(inputs) * parts.data.outputs) * design.T @ design)[-1]
    assert 0.2 / largest < search(config, parts.data).lr < 2 / largest


@pytest.mark.parametrize(
    "how",
    [
        (),
        ("batch_size=full",),
        ("accumulate=2",),
        ("loader.stream=true", "loader.workers=2"),
        ("precision=bf16-mixed",),
        ("precision=64",),
        ("regularization=[sam,dropout,l2,swa,early_stopping,gradient_noise,mixup]",),
        ("optimizer=muon",),
        ("batch_growth=milestones",),
        ("scheduler=one_cycle",),
        ("trainer.callbacks=[{_target_: reference.lightning_callbacks.EveryHook}]",),
        ("dataset.val_fraction=0",),
    ],
)
def test_it_goes_with_everything(how):
    result = found(*TABLE, "optimizer=adam", *how)
    assert 1e-4 < result.lr <= 1.0
    assert len(result.rates) == len(result.losses) == len(result.smoothed) <= STEPS


def test_it_is_a_function_of_the_configuration():
    one, same, other = found(*TABLE, "seed=1"), found(*TABLE, "seed=1"), found(*TABLE, "seed=2")
    assert np.array_equal(one.losses, same.losses) and one.lr == same.lr
    assert not np.array_equal(one.losses, other.losses)
    for how in ("loader.chunk=1", "loader.stream=true"):
        assert np.array_equal(found(*TABLE, "seed=1", how).losses, one.losses)


def test_its_first_losses_are_those_of_the_run():
    """At rates that change nothing: same weights, same order, same noise."""
    run = trained(*TABLE, "regularization=[dropout]", "lr=1e-7", "epochs=1", "optimizer=sgd")
    losses = np.concatenate(run.engine.losses)
    searched = found(*TABLE, "regularization=[dropout]", "optimizer=sgd").losses
    np.testing.assert_allclose(searched[: len(losses)], losses, rtol=1e-4)


SLOW = ["momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adamw", "nadam", "adamax", "lion", "muon"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)])
def test_a_run_with_it_is_about_as_good_as_with_the_default(optimizer):
    common = ("epochs=4", f"optimizer={optimizer}")
    usual = trained(*common).outcome.objective
    assert trained(*common, f"lr={found(*common).lr!r}").outcome.objective >= 0.9 * usual


def test_it_is_drawn():
    figure = drawn(found(*TABLE))
    (panel,) = figure.axes
    assert panel.get_xscale() == "log" and len(panel.get_legend_handles_labels()[1]) == 4


# A run


QUICK = ["dataset=synthetic", "epochs=2", "regularization=[dropout]", "tracking=none", "threads=1"]


def results(directory):
    return json.loads((directory / "results.json").read_text())


def kept(directory):
    return json.loads((directory / "run.json").read_text())["lr_found"]


def test_a_run_that_finds_a_number_is_the_run_that_was_given_it(run_here, tmp_path, monkeypatch):
    """And more epochs keep it: the search is not made again."""
    searched, given = tmp_path / "searched", tmp_path / "given"
    answer = run_here([*QUICK, "lr=find", f"hydra.run.dir={searched}"])
    assert answer.code == 0, answer.err
    rate = kept(searched)
    assert f"{rate:g} (found)" in answer.out and f"lr={rate}" in answer.out
    with (searched / "lr_find.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["lr", "loss", "smoothed"] and float(rows[0]["lr"]) == LOWEST and len(rows) > 50
    assert (searched / "lr_find.png").stat().st_size < 60_000
    assert run_here([*QUICK, f"lr={rate!r}", f"hydra.run.dir={given}"]).code == 0
    assert results(searched)["weights_sha256"] == results(given)["weights_sha256"]
    assert not (given / "lr_find.csv").exists()
    monkeypatch.setattr("descent.rate_search.search", None)
    longer = run_here([*QUICK, "lr=find", "epochs=3", f"hydra.run.dir={searched}"])
    assert longer.code == 0 and "extended from 2 to 3 epochs" in longer.out, longer.err
    again = run_here([*QUICK, "lr=find", "epochs=3", f"hydra.run.dir={searched}"])
    assert again.code == 0 and f"{rate:g} (found)" in again.out and "finished before" in again.out
    assert kept(searched) == rate
    other = run_here([*QUICK, "lr=0.01", "epochs=3", f"hydra.run.dir={searched}"])
    assert other.code == 0 and "started anew: lr find → 0.01" in other.out
    assert kept(searched) is None


def test_every_seed_finds_its_own(run_here, tmp_path):
    answer = run_here([*QUICK, "lr=find", "seeds=2", f"hydra.run.dir={tmp_path / 'run'}"])
    assert answer.code == 0, answer.err
    assert kept(tmp_path / "run") is None and kept(tmp_path / "run" / "0") != kept(tmp_path / "run" / "1")


def test_in_a_grid_and_dry(run_here, tmp_path):
    answer = run_here(["-m", *QUICK, "lr=find,1e-3", f"hydra.sweep.dir={tmp_path / 'grid'}"])
    assert answer.code == 0, answer.err
    assert len(list((tmp_path / "grid").rglob("lr_find.png"))) == 1
    answer = run_here([*QUICK, "lr=find", "dry_run=true"])
    assert answer.code == 0, answer.err


def test_parts_are_built_before_it_is_found(composed):
    config = composed("lr=find", "optimizer=sgd")
    assert (config.lr, config.settings["lr"], config.optimizer.settings["lr"]) == ("find", "find", 1.0)
    assert config.at(0.25).lr == config.at(0.25).optimizer.settings["lr"] == 0.25
    assert assembly.assemble(config).engine.configure_optimizers().param_groups[0]["lr"] == 1.0
