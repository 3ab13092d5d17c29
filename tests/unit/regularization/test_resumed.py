"""Methods with draws and states: the chunk leaves no trace, and a training that was cut goes on to the same bits."""

import numpy as np
import pytest
import torch
from scipy import stats

from descent.regularization.gradient_noise import GradientNoise
from descent.regularization.swa import SWA
from reference.resumed import SHORT, cut, result_of, sitting
from reference.trained import trained

IMAGE = ("model=cnn", "model.channels=[4]", "dataset=synthetic", "dataset.kind=image", "dataset.shape=[1,8,8]")
IMAGE += ("dataset.samples=200", "dataset.classes=3", "epochs=3", "batch_size=16", "checkpoint.seconds=1000")
MOVED = ("augmentation.flip=0.5", "augmentation.crop=0.2", "augmentation.zoom=[0.8,1.2]", "augmentation.erasing=0.5")
WAYS = {
    "mixing": (*IMAGE, "regularization=[mixup,cutmix,label_smoothing,input_noise]"),
    "augmentation": (*IMAGE, "augmentation=randaugment", *MOVED, "regularization=[mixup]"),
    "gradient noise": (*SHORT, "regularization=[gradient_noise]", "regularization.gradient_noise.variance=0.1"),
    "a moving average": (*SHORT, "regularization=[ema,dropout,batch_norm]"),
    "a mean of epochs": (*SHORT, "regularization=[swa,batch_norm]", "regularization.swa.start=0.3"),
    "a mean of epochs, the last": (*SHORT, "regularization=[swa]", "regularization.swa.start=0", "restore=last"),
    "two passes": (*SHORT, "regularization=[sam,dropout,batch_norm,gradient_noise,ema,max_norm]"),
}


@pytest.fixture(scope="module", params=WAYS)
def whole(request, tmp_path_factory):
    overrides = WAYS[request.param]
    return overrides, result_of(sitting(tmp_path_factory.mktemp("whole"), *overrides))


def test_the_chunk_leaves_no_trace(whole, tmp_path):
    overrides, expected = whole
    assert result_of(sitting(tmp_path, *overrides, "loader.chunk=4")) == expected


@pytest.mark.parametrize("step", [1, 7, 10, 20, 29])
def test_a_training_that_was_cut_is_the_one_that_was_not(whole, tmp_path, step):
    overrides, expected = whole
    assert cut(tmp_path, step, *overrides) == step
    assert result_of(sitting(tmp_path, *overrides)) == expected


def test_a_mean_of_epochs_that_is_extended_is_the_longer_ones(tmp_path):
    overrides = (*SHORT, "regularization=[swa,batch_norm]", "regularization.swa.start=0.5", "restore=last")
    sitting(tmp_path / "extended", *overrides, "epochs=4")  # means of two
    longer = sitting(tmp_path / "extended", *overrides, "epochs=8")
    whole = result_of(sitting(tmp_path / "whole", *overrides, "epochs=8"))
    assert result_of(longer).weights == whole.weights
    (average,) = (method for method in longer.engine.recipe.methods if isinstance(method, SWA))
    assert average.taken == 4


def test_another_seed_draws_otherwise(whole):
    overrides, expected = whole
    assert trained(*overrides, "seed=1").outcome.weights_sha256 != expected.weights


def noise_of(method):
    parameter = torch.nn.Parameter(torch.zeros(5000, 1))
    parameter.grad = torch.zeros_like(parameter)
    method.after_backward([parameter])
    return parameter.grad.flatten().numpy()


def test_gradient_noise_fades_by_its_law():
    method = GradientNoise(0.3, 0.55, seed=0)
    method.prepare(torch.nn.Linear(1, 1))
    before = []
    for step in range(12):
        noise = noise_of(method)
        assert stats.kstest(noise, stats.norm(0, np.sqrt(0.3 / (1 + step) ** 0.55)).cdf).pvalue > 1e-3
        assert np.array_equal(noise, noise_of(method))  # a second pass of the same step sees the same
        assert all(abs(np.corrcoef(noise, earlier)[0, 1]) < 0.06 for earlier in before)
        before.append(noise)
        method.after_step([])
