"""The residual network against torchvision's, with the stem that small images take."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet as theirs

from descent.models.resnet import Residual, ResNet
from descent.sizing import parameter_count


def small_stem(channels: int) -> nn.Module:
    torch.manual_seed(0)
    model = theirs.ResNet(theirs.BasicBlock, [2, 2, 2, 2], num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(channels, 64, 3, padding=1, bias=False), nn.Identity()
    return model


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, nn.Module]:
    ours, other = ResNet((1, 8, 8), 10, (64, 128, 256, 512)), small_stem(1)
    return ours, other


def test_as_many_parameters_as_resnet18(pair):
    ours, other = pair
    resnet18 = 11_689_512 - 1000 * 513 + 10 * 513  # torchvision's published count, for ten classes
    assert parameter_count(ours) == parameter_count(other) == resnet18 - 64 * 3 * 49 + 64 * 9


def test_the_same_numbers_from_the_same_weights(pair):
    ours, other = (model.double() for model in pair)
    ours.load_state_dict(dict(zip(ours.state_dict(), in_our_order(other), strict=True)))
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    for training in (True, False):
        torch.testing.assert_close(ours.train(training)(x), other.train(training)(x), rtol=1e-9, atol=1e-9)


def in_our_order(model: nn.Module) -> list[torch.Tensor]:
    """Theirs lists a block's two convolutions and norms, then its shortcut; so does ours."""
    return list(model.state_dict().values())


@pytest.mark.parametrize(("channels", "depth"), [((4,), 1), ((4, 6), 2), ((4, 4, 8), 3)])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_size(channels, depth, norm):
    def convolution(before, after, kernel):
        return before * after * kernel**2 + (after if norm == "none" else 2 * after)

    count, before = convolution(2, channels[0], 3) + channels[-1] * 3 + 3, channels[0]
    for stage, wider in enumerate(channels):
        for block in range(depth):
            count += convolution(before, wider, 3) + convolution(wider, wider, 3)
            count += convolution(before, wider, 1) if stage and not block else 0
            before = wider
    model = ResNet((2, 8, 8), 3, channels, depth, norm=norm)
    assert parameter_count(model) == count
    assert model.eval()(torch.zeros(5, 2, 8, 8)).shape == (5, 3)


def test_a_block_adds_to_what_it_gets():
    block = Residual(3, 3, 1, "relu", "none", 0.0)
    nn.init.zeros_(block.branch[-1].weight)
    nn.init.zeros_(block.branch[-1].bias)
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(block(x), x)


def test_stochastic_depth_leaves_branches_out_per_sample_and_keeps_the_mean():
    torch.manual_seed(0)
    block = Residual(1, 1, 1, "leaky_relu", "none", 0.25).double()
    block.activation = nn.Identity()
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64).expand(20_000, 1, 4, 4)
    whole = (block.eval()(x) - x)[0]
    shares = ((block.train()(x) - x) / whole).flatten(1).detach().numpy()
    np.testing.assert_allclose(np.ptp(shares, axis=1), 0, atol=1e-9)  # a sample's branch is in or out as a whole
    kept = shares[:, 0] > 0.5
    np.testing.assert_allclose(shares[kept, 0], 1 / 0.75, rtol=1e-9)
    np.testing.assert_allclose(shares[~kept, 0], 0, atol=1e-9)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / len(kept))


def test_branches_are_left_out_more_often_the_deeper_they_are():
    model = ResNet((1, 8, 8), 2, (2, 4), 2, stochastic_depth=0.4)
    assert [block.skip for block in model.blocks] == pytest.approx([0.1, 0.2, 0.3, 0.4])
