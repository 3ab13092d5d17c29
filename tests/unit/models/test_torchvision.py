"""torchvision's classifiers in our frame: sizes against its published ones, heads, channels, files of weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from descent.errors import DataError, UsageError
from descent.models.torchvision import classifier, names
from descent.sizing import parameter_count
from descent.tasks.losses import MSE, CrossEntropy

# Of the images that a model takes, where 64 pixels are not enough or do not divide.
SIDES = {"inception_v3": 75, "vit_h_14": 28, "maxvit_t": 224}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def published(name: str) -> int:
    return models.get_model_weights(name).DEFAULT.meta["num_params"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_size_is_the_published_one(name):
    assert parameter_count(classifier((3, 64, 64), 1000, name)) == published(name)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_are_left_out(name):
    model = classifier((3, 96, 96), 7, name).train()
    outputs = model(torch.randn(2, 3, 96, 96))
    assert isinstance(outputs, torch.Tensor) and outputs.shape == (2, 7)
    assert [key for key, _ in model.named_parameters() if "aux" in key.lower()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_classifier_takes_our_channels_and_outputs(name):
    side = SIDES.get(name, 64)
    with torch.device("meta" if not name.startswith("regnet") else "cpu"):
        model = classifier((2, side, side), 7, name).eval()
        assert model(torch.empty(1, 2, side, side)).shape == (1, 7)


def test_resnet18_with_one_channel_and_ten_outputs():
    model = classifier((1, 8, 8), 10, "resnet18")
    assert parameter_count(model) == published("resnet18") - 64 * 49 * 2 - 990 * 513
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_init_reaches_it():
    model = classifier((1, 8, 8), 3, "resnet18", init="zeros")
    assert not model.conv1.weight.any() and not model.fc.weight.any() and model.bn1.weight.all()


@pytest.mark.parametrize("loss", [CrossEntropy(), MSE()], ids=["cross_entropy", "mse"])
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_gradients_are_central_differences(name, loss):
    """Along one random direction of all weights at once."""
    model = classifier((1, 32, 32), 3, name).double().eval()
    x, y = torch.randn(6, 1, 32, 32, dtype=torch.float64), torch.arange(6) % 3
    loss(model(x), y).backward()
    direction = [torch.randn_like(weight) for weight in model.parameters()]
    slope = sum(float((weight.grad * one).sum()) for weight, one in zip(model.parameters(), direction, strict=True))
    values = []
    with torch.no_grad():
        for step in (1e-8, -2e-8):
            torch._foreach_add_(list(model.parameters()), direction, alpha=step)
            values.append(float(loss(model(x), y)))
    assert (values[0] - values[1]) / 2e-8 == pytest.approx(slope, rel=1e-6)


# Files of weights


@pytest.fixture(scope="module")
def source() -> nn.Module:
    torch.manual_seed(1)
    return models.shufflenet_v2_x0_5(weights=None).eval()


@pytest.fixture(params=["pt", "safetensors"])
def file(request, tmp_path, source):
    path = tmp_path / f"weights.{request.param}"
    save_file(source.state_dict(), path) if request.param == "safetensors" else torch.save(source.state_dict(), path)
    return path


def test_the_same_answers_from_a_file_of_weights(file, source):
    model = classifier((3, 32, 32), 1000, "shufflenet_v2_x0_5", str(file)).eval()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(x), source(x))


def test_another_head_starts_anew_and_the_rest_is_taken(file, source):
    model = classifier((3, 32, 32), 5, "shufflenet_v2_x0_5", str(file)).eval()
    state = source.state_dict()
    assert model.fc.weight.shape == (5, 1024) and model.fc.weight.std() > 0
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items() if key[:3] != "fc.")


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_images_of_equal_channels_are_answered_alike(file, source, channels):
    model = classifier((channels, 32, 32), 1000, "shufflenet_v2_x0_5", str(file)).eval()
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(model(grey.expand(-1, channels, -1, -1)), source(grey.expand(-1, 3, -1, -1)))


def test_auxiliary_heads_in_a_file_are_passed_over(tmp_path):
    state = models.googlenet(weights=None, num_classes=4, aux_logits=True, init_weights=False).state_dict()
    torch.save(state, tmp_path / "g.pt")
    model = classifier((3, 32, 32), 4, "googlenet", str(tmp_path / "g.pt"))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_old_names_of_densenet(tmp_path):
    state = models.densenet121(weights=None, num_classes=2).state_dict()
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "d.pt")
    model = classifier((3, 32, 32), 2, "densenet121", str(tmp_path / "d.pt"))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def refusal(kind, *arguments, **more) -> str:
    with pytest.raises(kind) as error:
        classifier(*arguments, **more)
    assert len(str(error.value)) <= 200 and "\n" not in str(error.value)
    return str(error.value)


def test_a_file_of_another_model_is_refused_with_a_weight_of_it(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    line = refusal(UsageError, (3, 32, 32), 5, "resnet18", file.name)
    assert line.startswith(f"model.weights: got {file.name}, allowed a state_dict of resnet18; it has conv1.")


@pytest.mark.parametrize("change", ["lacks", "is"])
def test_a_weight_that_is_missing_or_misshapen_is_named(tmp_path, source, change, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = dict(source.state_dict())
    taken = state.pop("conv5.0.weight")
    torch.save(state if change == "lacks" else {**state, "conv5.0.weight": taken[:3]}, "w.pt")
    line = refusal(UsageError, (3, 32, 32), 5, "shufflenet_v2_x0_5", "w.pt")
    expected = {"lacks": "it lacks conv5.0.weight", "is": "conv5.0.weight is [3, 192, 1, 1], not [1024, 192, 1, 1]"}
    assert line.endswith(expected[change])


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04torn"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_file_is_a_matter_of_data(tmp_path, content, suffix):
    (tmp_path / f"w.{suffix}").write_bytes(content)
    assert refusal(DataError, (3, 32, 32), 5, "resnet18", str(tmp_path / f"w.{suffix}")).startswith("model.weights: ")


def test_a_file_that_runs_code_or_holds_no_weights_is_refused(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "module.pt")
    torch.save({"epoch": 3}, tmp_path / "epoch.pt")
    for name, why in (("module", "cannot be read"), ("epoch", "holds no state_dict")):
        assert why in refusal(DataError, (3, 32, 32), 5, "resnet18", str(tmp_path / f"{name}.pt"))


# Refusals


def test_an_unknown_name_gets_the_near_miss():
    assert "did you mean resnet18?" in refusal(UsageError, (3, 32, 32), 5, "resnet81")


def test_no_file_and_two_starts():
    assert "model.weights: got no.pt, allowed" in refusal(UsageError, (3, 32, 32), 5, "resnet18", "no.pt")
    assert "model.init: got zeros" in refusal(UsageError, (3, 32, 32), 5, "resnet18", "no.pt", init="zeros")


@pytest.mark.parametrize(
    ("name", "shape", "layer"),
    [
        ("alexnet", (1, 8, 8), "features.2 (MaxPool2d)"),
        ("vgg11", (3, 16, 16), "features.20 (MaxPool2d)"),
        ("inception_v3", (3, 64, 64), "branch3x3"),
        ("convnext_tiny", (3, 16, 16), "(Conv2d)"),
        ("vit_b_16", (3, 24, 24), "its input"),
        ("vit_b_16", (3, 16, 32), "its input"),
        ("maxvit_t", (3, 32, 32), "its input"),
    ],
)
def test_images_too_small_are_refused_with_the_layer(name, shape, layer):
    line = refusal(UsageError, shape, 5, name)
    assert line.startswith(f"model.name: got {name} on images of {'x'.join(map(str, shape))}") and layer in line


def test_tables_are_refused():
    assert "which are no images" in refusal(UsageError, (8,), 5, "resnet18")
