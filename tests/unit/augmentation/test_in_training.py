"""Augmentation inside a run: on training minibatches alone, to the same bits however they come, resumed or not."""

import numpy as np
import pytest
import torch

from descent import dry_run
from descent.assembly import assemble
from descent.outcome import conclude, weights_digest
from descent.reproducibility import computing
from descent.trainer import build_trainer
from reference.augmented import Counted

SMALL = ["model.hidden=[8]", "batch_size=200", "epochs=2", "tracking=none", "threads=1"]
EVERYTHING = [
    "augmentation=article",
    "augmentation.crop=0.2",
    "augmentation.brightness=0.3",
    "augmentation.erasing=0.5",
]
EVERYTHING += ["augmentation.randaugment=2", "augmentation.vertical_flip=0.1"]


def fitted(config, directory):
    parts = assemble(config)
    with computing(1, True):
        trainer = build_trainer(config, parts.callbacks, [], directory)
        trainer.fit(parts.engine)
    return parts, trainer


@pytest.fixture(scope="module")
def seen(composed, tmp_path_factory):
    """Inputs that the model saw, training and evaluating, where each training image is erased whole."""
    config = composed("augmentation=erasing", "augmentation.erasing=1", "augmentation.erasing_area=[1,1]", *SMALL)
    parts, saw = assemble(config), {True: [], False: []}
    parts.engine.model.register_forward_pre_hook(lambda module, given: saw[module.training].append(given[0].clone()))
    trainer = build_trainer(config, parts.callbacks, [], tmp_path_factory.mktemp("seen"))
    trainer.fit(parts.engine)
    outcome = conclude(config, parts, trainer, 1.0)
    return parts, {training: torch.cat(inputs) for training, inputs in saw.items()}, outcome


def test_training_images_are_augmented(seen):
    inputs = seen[1][True]
    assert len(inputs) == 2 * len(seen[0].data.train)
    np.testing.assert_allclose(inputs.std((2, 3)), 0, atol=1e-5)


def test_no_image_that_is_evaluated_is(seen):
    """Validation each epoch, and then training, as it is reported, and test."""
    parts, saw, _ = seen
    data, scaled = parts.data, parts.engine.scaling
    rows = {row.numpy().tobytes() for row in saw[False]}
    for split in (data.train, data.val, data.test):
        assert {row.numpy().tobytes() for row in scaled(split.inputs)} <= rows
    assert float(saw[False].std((2, 3)).min()) > 0.1


def test_the_reported_training_metrics_are_without_it(seen):
    parts, _, outcome = seen
    with torch.no_grad():
        outputs = parts.engine.model.eval()(parts.engine.scaling(parts.data.train.inputs))
    accuracy = float((outputs.argmax(1) == parts.data.train.targets).double().mean())
    assert outcome.metrics["best/train/accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize("way", ["loader.chunk=1", "loader.chunk=5", "loader.stream=true"])
def test_same_bits_however_minibatches_come(composed, tmp_path, way):
    usual, other = (composed(*EVERYTHING, *SMALL, *more) for more in ([], [way]))
    digests = [weights_digest(fitted(config, tmp_path)[0].engine.model) for config in (usual, other)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("precision", ["64", "bf16-mixed"])
def test_other_precisions_train(composed, tmp_path, precision):
    parts, _ = fitted(composed(*EVERYTHING, *SMALL, f"precision={precision}"), tmp_path)
    assert np.isfinite(np.concatenate(parts.engine.losses)).all()


def test_colours_of_three_channels_and_two_sides_train(composed, tmp_path):
    image = ["dataset=synthetic", "dataset.kind=image", "dataset.shape=[3,6,9]", "dataset.samples=100", "batch_size=20"]
    parts, _ = fitted(composed(*SMALL, *EVERYTHING, "augmentation.saturation=0.5", *image), tmp_path)
    assert np.isfinite(np.concatenate(parts.engine.losses)).all()


def test_a_dry_run_pays_for_it(composed):
    Counted.calls = 0
    dry_run.price(composed("augmentation=light", "augmentation._target_=reference.augmented.Counted", *SMALL))
    assert Counted.calls == dry_run.TIMED_STEPS + 1
