"""Scaling by the training rows alone, against NumPy."""

import numpy as np
import pytest
import torch

from descent.data.scaling import Scaling
from reference.trained import TABLE, parts_of


@pytest.mark.parametrize(("shape", "axes"), [((50, 4), (0,)), ((50, 3, 5, 6), (0, 2, 3)), ((50, 2, 7), (0, 2))])
def test_scaling_is_numpys(shape, axes):
    values = np.random.default_rng(0).normal(3, 2, shape)
    scaled = Scaling(torch.from_numpy(values))(torch.from_numpy(values)).numpy()
    mean, deviation = values.mean(axes, keepdims=True), values.std(axes, keepdims=True)
    np.testing.assert_allclose(scaled, (values - mean) / deviation, atol=1e-5)


def test_bytes_are_scaled_as_numbers():
    images = torch.randint(0, 256, (40, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    scaled = Scaling(images)(images)
    assert scaled.dtype == torch.float32
    assert abs(float(scaled.mean())) < 1e-5 and float(scaled.std(correction=0)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e6 + 0.1])
@pytest.mark.parametrize("rows", [7, 1437])
def test_a_constant_column_becomes_zero(value, rows):
    column = torch.full((rows, 2), value)
    assert not Scaling(column)(column).any()


def test_only_training_rows_decide():
    _, parts = parts_of(*TABLE)
    training = parts.data.train.inputs.double().numpy()
    np.testing.assert_allclose(parts.engine.scaling.mean, training.mean(0), atol=1e-6)
    np.testing.assert_allclose(parts.engine.scaling.deviation, training.std(0), atol=1e-6)
    everything = torch.cat([part.inputs for part in (parts.data.train, parts.data.val, parts.data.test)])
    assert np.abs(parts.engine.scaling.mean.numpy() - everything.numpy().mean(0)).max() > 1e-3


def test_statistics_of_memory_mapped_rows_are_those_of_all_at_once(tmp_path):
    rows = np.random.default_rng(0).normal(3.0, 2.0, (10_000, 5)).astype(np.float32)
    rows.tofile(tmp_path / "rows")
    mapped = torch.from_numpy(np.memmap(tmp_path / "rows", np.float32, "r+", shape=rows.shape))
    scaling = Scaling(mapped)
    np.testing.assert_allclose(scaling.mean.numpy(), rows.astype(np.float64).mean(0), rtol=1e-6)
    np.testing.assert_allclose(scaling.deviation.numpy(), rows.astype(np.float64).std(0), rtol=1e-6)


# Other kinds


def test_bytes_by_255_whatever_they_hold():
    images = torch.tensor([0, 16, 51, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    for rows in (images, images[:2]):
        scaled = Scaling(rows, "unit")(images)
        np.testing.assert_array_equal(scaled.flatten(), np.array([0, 16, 51, 255], np.float32) / np.float32(255))


@pytest.mark.parametrize(("shape", "axes"), [((50, 4), (0,)), ((50, 3, 5, 6), (0, 2, 3)), ((9000, 2), (0,))])
def test_floats_into_the_unit_interval_by_training_rows(shape, axes):
    values = np.random.default_rng(0).normal(3, 2, shape)
    scaled = Scaling(torch.from_numpy(values), "unit")(torch.from_numpy(values)).numpy()
    least, most = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    np.testing.assert_allclose(scaled, (values - least) / (most - least), atol=1e-6)


def test_a_constant_column_becomes_zero_in_the_unit_interval():
    assert not Scaling(torch.full((7, 2), 3.0), "unit")(torch.full((7, 2), 3.0)).any()


def test_none_only_makes_floats():
    images = torch.arange(60).to(torch.uint8).view(5, 3, 2, 2)
    assert torch.equal(Scaling(images, "none")(images), images.float())


@pytest.mark.parametrize("kind", ["standard", "unit", "none"])
def test_tokens_are_no_numbers(kind):
    tokens = torch.tensor([[3, 1, 0], [2, 2, 5]])
    scaling = Scaling(tokens, kind)
    assert torch.equal(scaling(tokens), tokens) and scaling(tokens).dtype == torch.int64


@pytest.mark.parametrize(("kind", "deviation"), [("unit", 255), ("none", 1)])
def test_the_knob_decides(kind, deviation):
    _, parts = parts_of(f"dataset.scaling={kind}")
    assert (float(parts.engine.scaling.mean), float(parts.engine.scaling.deviation)) == (0, deviation)
