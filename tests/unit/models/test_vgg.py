"""VGG against torchvision's layers, which normalise before the activation, and its own order by hand."""

import torch
from torch import nn
from torchvision.models.vgg import make_layers

from descent.models.vgg import VGG
from descent.sizing import multiply_adds, parameter_count

BLOCKS = ((8,), (16, 16), (4, 4))


def test_layers_are_torchvisions_with_the_norm_first():
    ours = VGG((3, 16, 16), 10, BLOCKS, order="norm_activation", norm="batch").eval()
    theirs = make_layers([8, "M", 16, 16, "M", 4, 4, "M"], batch_norm=True).eval()
    assert parameter_count(ours.features) == parameter_count(theirs)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.features.state_dict().values(), strict=True)))
    x = torch.randn(5, 3, 16, 16)
    torch.testing.assert_close(ours.features(x), theirs(x))


def test_each_convolution_is_followed_by_its_activation_and_then_its_norm():
    kinds = [type(layer) for layer in VGG((3, 8, 8), 10, ((8, 8), (4,)), norm="batch").features]
    one = [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]
    assert kinds == [*one, *one, nn.MaxPool2d, *one, nn.MaxPool2d]


def test_work():
    """A block's convolutions see the image that the pools before it have left."""
    sides = {0: 16, 1: 8, 2: 4}
    pairs = [(0, 3, 8), (1, 8, 16), (1, 16, 16), (2, 16, 4), (2, 4, 4)]
    work = sum(9 * before * after * sides[block] ** 2 for block, before, after in pairs)
    assert multiply_adds(VGG((3, 16, 16), 10, BLOCKS), (3, 16, 16)) == work + 4 * 10


def test_the_head_averages_over_the_image():
    model = VGG((1, 8, 8), 2, ((4,),)).double()
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    pooled = model.features(x).numpy(force=True).mean((2, 3))
    weight, bias = (value.numpy(force=True) for value in model.head[2].parameters())
    torch.testing.assert_close(model(x).detach(), torch.from_numpy(pooled @ weight.T + bias))
