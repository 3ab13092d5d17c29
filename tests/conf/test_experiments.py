"""The worked examples: exactly the settings of their articles, their parameters, two steps on embedded data."""

import math
from pathlib import Path

import pytest
from hydra.utils import instantiate

from descent.assembly import assemble
from descent.contradictions import lookup
from descent.data.loading import Feed
from descent.models.surface import SURFACES
from descent.sizing import parameter_count
from descent.trainer import build_trainer

FILES = sorted((Path(__file__).parents[2] / "conf" / "experiment").glob("*.yaml"))
PLATEAU = {"scheduler.monitor": "val/loss", "scheduler.direction": "minimize", "scheduler.factor": 0.1}
PLATEAU |= {"scheduler.patience": 2, "scheduler.threshold": 1e-4, "scheduler.threshold_mode": "absolute"}
PLATEAU |= {"scheduler.minimum": 0.0, "scheduler.warmup": 0}
STOPPING = {
    f"regularization.early_stopping.{key}": value
    for key, value in {"monitor": "val/loss", "direction": "minimize", "patience": 3, "min_delta": 0.0,
                       "target": None, "gradient_norm": None}.items()
}  # fmt: skip
KERAS_ADAM = {"lr": 0.001, "optimizer.betas": [0.9, 0.999], "optimizer.eps": 1e-7, "optimizer.amsgrad": False}
KERAS_ADAM |= {"weight_decay": 0.0, "model.init": "glorot_uniform", "accumulate": 1, "precision": 32}

# Choices by group, and every setting that its article states.
SETTINGS = {
    "mnist_mlp": (
        {"model": "mlp", "optimizer": "adam", "scheduler": "plateau", "regularization": "dropout+early_stopping",
         "dataset": "mnist", "augmentation": "none", "loss": "cross_entropy"},
        {**KERAS_ADAM, **PLATEAU, **STOPPING, "batch_size": 128, "epochs": 20, "restore": "last",
         "model.hidden": [512, 256], "model.depth": None, "model.width": None, "model.activation": "relu",
         "model.norm": "none", "model.dropout": 0.2, "loader.drop_last": False, "dataset.scaling": "unit",
         "dataset.val_fraction": 0.1, "dataset.val_split": "last", "dataset.samples": 60000,
         "dataset.test_samples": 10000, "dataset.fraction": 1.0},
    ),
    "mnist_small": (
        {"model": "mlp", "optimizer": "adam", "scheduler": "constant", "regularization": "dropout",
         "dataset": "mnist", "augmentation": "none", "loss": "cross_entropy"},
        {**KERAS_ADAM, "batch_size": 32, "epochs": 10, "restore": "last", "model.hidden": [128],
         "model.activation": "relu", "model.dropout": 0.2, "model.norm": "none", "dataset.scaling": "unit",
         "dataset.val_fraction": 0.0, "loader.drop_last": False, "scheduler.warmup": 0},
    ),
    "cifar10_vgg": (
        {"model": "vgg", "optimizer": "adam", "scheduler": "plateau", "regularization": "batch_norm+early_stopping",
         "dataset": "cifar10", "augmentation": "article", "loss": "cross_entropy"},
        {**KERAS_ADAM, **PLATEAU, **STOPPING, "batch_size": 128, "epochs": 20, "restore": "last",
         "loader.drop_last": True, "model.blocks": [[64], [128], [256, 256], [512, 512], [512, 512]],
         "model.kernel": 3, "model.pool": 2, "model.order": "activation_norm", "model.activation": "relu",
         "model.norm": "batch", "model.dropout": 0.0, "regularization.batch_norm.eps": 1e-3,
         "regularization.batch_norm.momentum": 0.01, "dataset.scaling": "unit", "dataset.val_fraction": 0.1,
         "dataset.samples": 50000, "augmentation.rotation": 15.0, "augmentation.shift": 0.1,
         "augmentation.shear": 0.1, "augmentation.zoom": [0.9, 1.2], "augmentation.flip": 0.5},
    ),
    "tabular_binary": (
        {"model": "mlp", "optimizer": "sgd", "scheduler": "constant", "regularization": "none",
         "dataset": "synthetic", "augmentation": "none", "loss": "bce"},
        {"lr": 0.1, "weight_decay": 0.0, "batch_size": 32, "epochs": 10, "model.hidden": [16],
         "model.activation": "relu", "model.init": "glorot_uniform", "model.dropout": 0.0, "dataset.shape": [8],
         "dataset.classes": 2, "loss.class_weights": None},
    ),
    "two_inputs": (
        {"model": "linear", "optimizer": "adam", "scheduler": "constant", "regularization": "none",
         "dataset": "synthetic", "augmentation": "none", "loss": "bce"},
        {"lr": 0.01, "epochs": 100, "optimizer.betas": [0.9, 0.999], "optimizer.eps": 1e-8, "weight_decay": 0.0,
         "dataset.shape": [2], "dataset.classes": 2},
    ),
}  # fmt: skip
# Of a sample, outputs, parameters.
SIZES = {
    "mnist_mlp": ((1, 28, 28), 10, 535_818),
    "cifar10_vgg": ((3, 32, 32), 10, 9_231_114),
    "mnist_small": ((1, 28, 28), 10, 101_770),
    "tabular_binary": ((8,), 1, 161),
    "two_inputs": ((2,), 1, 3),
    "landscape": ((2,), 1, 2),
    "capacity": ((20,), 4, 21 * 32 + 33 * 32 + 33 * 4),
    "batch_growth": ((1, 8, 8), 10, 65 * 256 + 257 * 128 + 129 * 10),
    "digits_cnn": ((1, 8, 8), 10, 10 * 32 + 289 * 64 + 2 * 96 + 65 * 10),
}
# On data that ships with the program: two steps.
EMBEDDED = {
    "digits_cnn": ["batch_size=1000", "epochs=1"],
    "mnist_mlp": ["dataset=digits", "batch_size=1000", "epochs=1"],
    "mnist_small": ["dataset=digits", "batch_size=1000", "epochs=1"],
    "cifar10_vgg": ["dataset=digits", "dataset.resize=32", "dataset.channels=3", "dataset.fraction=0.06",
                    "batch_size=40", "epochs=1"],
    "tabular_binary": ["batch_size=400", "epochs=1"],
    "two_inputs": ["batch_size=400", "epochs=1"],
    "landscape": ["epochs=2"],
    "capacity": ["epochs=2", "batch_size=full"],
    "batch_growth": ["epochs=1", "batch_size=1000"],
    "breast_cancer": ["epochs=2", "batch_size=full"],
    "diabetes": ["epochs=2", "batch_size=full"],
    "digits_lstm": ["epochs=1", "batch_size=1000"],
    "digits_mlp": ["epochs=1", "batch_size=1000"],
    "digits_vgg": ["epochs=1", "batch_size=1000"],
    "race": ["epochs=1", "batch_size=1000"],
}  # fmt: skip


def test_the_tables_are_complete():
    assert set(EMBEDDED) >= {file.stem for file in FILES}


@pytest.mark.parametrize("name", SETTINGS)
def test_an_example_composes_to_exactly_its_settings(composed, name):
    choices, settings = SETTINGS[name]
    config = composed(f"experiment={name}")
    assert {group: config.choices[group] for group in choices} == choices
    assert {key: lookup(config.settings, key, "missing") for key in settings} == settings


@pytest.mark.parametrize("name", SIZES)
def test_its_parameters(composed, name):
    shape, outputs, count = SIZES[name]
    settings = composed(f"experiment={name}").model.settings
    assert parameter_count(instantiate(settings, input_shape=shape, outputs=outputs, _convert_="all")) == count


def test_the_steps_of_an_epoch_of_cifar10(composed):
    """The article's 390 are of all 50,000; with validation held out 351 are left. The tail is dropped in both."""
    config = composed("experiment=cifar10_vgg")
    feed = Feed(config.batch_size, 1, 1, config.loader.drop_last, 0)
    assert (feed.steps(50_000), feed.steps(45_000)) == (390, 351)


@pytest.mark.parametrize("rule", ["gd", "sgd", "momentum", "adagrad", "adam"])
def test_the_rules_on_two_inputs_share_rate_and_passes(composed, rule):
    config = composed("experiment=two_inputs", f"optimizer={rule}")
    assert (config.lr, config.epochs, config.batch_size) == (0.01, 100, "full" if rule == "gd" else 32)
    assert lookup(config.settings, "optimizer.momentum") == (0.9 if rule == "momentum" else None)


@pytest.mark.parametrize("name", EMBEDDED)
def test_it_trains_on_embedded_data(composed, tmp_path, name):
    config = composed(f"experiment={name}", *EMBEDDED[name], "threads=1")
    parts = assemble(config)
    build_trainer(config, parts.callbacks, [], tmp_path).fit(parts.engine)
    assert parts.engine.steps_done == 2
    assert all(math.isfinite(loss) for losses in parts.engine.losses for loss in losses)
    if name in SIZES and SIZES[name][0] == parts.data.input_shape:
        assert parts.parameters == SIZES[name][2]


# Functions of two variables, whose minima are known

MINIMA = {
    "saddle": ([(0, 1), (0, -1)], -0.25),
    "rosenbrock": ([(1, 1)], 0),
    "himmelblau": ([(3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)], 0),
    "quadratic": ([(0, 0)], 0),
    "plateau": ([(0, 0)], 0),
}


def end_of(composed, tmp_path, *overrides):
    config = composed("experiment=landscape", "trainer.enable_progress_bar=false", "tracking=none", *overrides)
    parts = assemble(config)
    build_trainer(config, parts.callbacks, [], tmp_path).fit(parts.engine)
    return parts.engine.model.point.detach().tolist(), parts.engine.history["val/loss"][-1][1]


def nearest(point, surface):
    return min(math.dist(point, minimum) for minimum in MINIMA[surface][0])


def test_every_surface_has_known_minima():
    assert SURFACES.keys() == MINIMA.keys()


@pytest.mark.parametrize("surface", MINIMA)
def test_a_minimum_is_found_and_has_its_value(composed, tmp_path, surface):
    start = {"saddle": "[1.5,0.2]", "rosenbrock": "[-1.2,1]", "plateau": "[1.2,0.4]"}.get(surface, "[-0.5,1.5]")
    newton = ["optimizer=lbfgs", "lr=1", "optimizer.tolerance_change=0", "epochs=12"]
    point, value = end_of(composed, tmp_path, f"model.surface={surface}", f"model.start={start}", *newton)
    assert nearest(point, surface) < 1e-4
    assert value == pytest.approx(MINIMA[surface][1], abs=1e-6)


def test_descent_from_the_saddles_ridge_stays_and_from_beside_it_leaves(composed, tmp_path):
    saddle = ["model.surface=saddle", "optimizer=gd", "lr=0.1", "epochs=150"]
    assert end_of(composed, tmp_path, *saddle, "model.start=[1.5,0]")[0] == pytest.approx([0, 0], abs=1e-6)
    assert end_of(composed, tmp_path, *saddle, "model.start=[1.5,1e-3]")[0] == pytest.approx([0, 1], abs=1e-4)


def test_restarts_come_to_different_minima(composed, tmp_path):
    """A start per seed, drawn: descent ends in the basin that it began in."""
    found = set()
    for seed in range(6):
        point, value = end_of(composed, tmp_path, "model.surface=himmelblau", "optimizer=gd", "lr=0.01", "epochs=200",
                              f"seed={seed}")  # fmt: skip
        assert nearest(point, "himmelblau") < 1e-3 and value < 1e-5
        found.add(min(MINIMA["himmelblau"][0], key=lambda minimum: math.dist(minimum, point)))
    assert len(found) > 1


def test_a_plateau_holds_descent(composed, tmp_path):
    plateau = ["model.surface=plateau", "model.start=[3.5,2.5]", "lr=0.1", "epochs=150"]
    assert math.dist(end_of(composed, tmp_path, *plateau, "optimizer=gd")[0], (3.5, 2.5)) < 0.05
    assert nearest(end_of(composed, tmp_path, *plateau, "optimizer=adam")[0], "plateau") < 0.1


def test_noise_keeps_a_constant_rate_from_settling_and_a_falling_one_lets_it(composed, tmp_path):
    noisy = ["model.surface=quadratic", "model.noise=2", "model.start=[-4,2]", "batch_size=1", "epochs=20"]
    constant = end_of(composed, tmp_path, *noisy, "optimizer=sgd", "lr=0.03")[0]
    falling = end_of(composed, tmp_path, *noisy, "optimizer=sgd", "lr=0.03", "scheduler=cosine")[0]
    assert nearest(falling, "quadratic") < nearest(constant, "quadratic")
