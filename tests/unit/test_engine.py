"""The engine against itself cut otherwise, against a loss that is not finite, and what the test split decides."""

import numpy as np
import pytest
import torch

from descent.engine import Engine
from descent.errors import Diverged, UsageError
from descent.regularization.method import Method
from reference.stepped import ODD, Watched, bits
from reference.trained import TABLE, changed, fit, parts_of, trained

# Chunks


@pytest.fixture(scope="module")
def whole():
    return trained(*ODD, "loader.chunk=512")


@pytest.mark.parametrize("loader", [["loader.chunk=1"], ["loader.chunk=7"], ["loader.stream=true"]])
def test_the_chunk_leaves_no_trace(whole, loader):
    assert bits(trained(*ODD, *loader)) == bits(whole)


def test_the_chunk_leaves_no_trace_on_accumulated_steps():
    common = (*ODD, "accumulate=3", "batch_size=10")
    assert bits(trained(*common, "loader.chunk=2")) == bits(trained(*common, "loader.chunk=512"))


def test_another_seed_is_another_training(whole):
    assert trained(*ODD, "seed=1").outcome.weights_sha256 != whole.outcome.weights_sha256


def test_the_seed_decides_initialisation_order_and_noise_but_not_the_split(whole):
    _, other = parts_of(*ODD, "seed=1")
    assert torch.equal(other.data.train.inputs, whole.parts.data.train.inputs)


class Draws(Method):
    """Draws random numbers wherever it can."""

    def after_step(self, parameters):
        torch.rand(5)

    def epoch_end(self, epoch, metrics):
        torch.rand(5)


def test_noise_does_not_depend_on_what_ran_before(whole):
    torch.rand(3)
    run = trained(*ODD, change=lambda parts: changed(parts, methods=[Draws()]))
    assert run.outcome.weights_sha256 == whole.outcome.weights_sha256


def masks(run_of):
    """Which values dropout let through, minibatch by minibatch."""
    seen = []

    def watching(parts):
        layer = next(one for one in parts.engine.model.modules() if isinstance(one, torch.nn.Dropout))
        layer.register_forward_hook(
            lambda module, inputs, output: seen.append((output != 0).numpy().tobytes()) if module.training else None
        )
        return parts

    run_of(watching)
    return seen


def test_every_minibatch_has_its_own_mask():
    common = (*TABLE, "regularization=[dropout]", "model.activation=tanh", "batch_size=32", "epochs=2")
    seen = masks(lambda change: trained(*common, change=change))
    assert len(seen) == len(set(seen)) == 10
    assert seen == masks(lambda change: trained(*common, "lr=0.5", change=change))
    assert not set(seen) & set(masks(lambda change: trained(*common, "seed=1", change=change)))


# Divergence


def test_a_loss_that_explodes_names_its_step():
    owner = Watched()
    config, parts = parts_of(*TABLE, "optimizer=sgd", "lr=1e6", "loss=mse", "batch_size=16")
    with pytest.raises(Diverged) as refusal:
        fit(config, changed(parts, owner=owner))
    step = next(place for place, loss in enumerate(owner.losses) if not np.isfinite(np.float32(loss)))
    assert f"at step {step} (epoch {step // 10})" in str(refusal.value)
    assert "lr=1e+05" in str(refusal.value) and refusal.value.exit_code == 5 and len(str(refusal.value)) < 200


class Poisoned(Method):
    def __init__(self, at):
        self.at, self.count = at, -1

    def batch_in(self, batch):
        self.count += 1
        return (batch[0] * np.nan, batch[1]) if self.count == self.at else batch


@pytest.mark.parametrize("chunk", [1, 3, 512])
@pytest.mark.parametrize("step", [0, 13])
def test_a_nan_is_named_at_its_step(chunk, step):
    config, parts = parts_of(*TABLE, "batch_size=16", f"loader.chunk={chunk}")
    with pytest.raises(Diverged, match=rf"loss: nan at step {step} \(epoch {step // 10}\)"):
        fit(config, changed(parts, methods=[Poisoned(step)]))


@pytest.mark.parametrize(("validation", "name"), [("0.1", "val/loss"), ("0", "train/loss")])
def test_a_last_step_too_far_is_no_success(validation, name):
    with pytest.raises(Diverged, match=f"{name}: .* at step 0"):
        trained(*TABLE, "optimizer=sgd", "lr=1e38", "batch_size=full", "epochs=1", f"dataset.val_fraction={validation}")


def test_batch_norm_over_a_lone_sample_is_refused():
    with pytest.raises(UsageError, match="batch_size: got 53"):
        parts_of(*TABLE, "batch_size=53", "regularization=[batch_norm]")
    assert trained(*TABLE, "batch_size=53", "epochs=1", "regularization=[batch_norm]", "loader.drop_last=true")


# Evaluation


def test_the_test_split_is_read_once_and_last(monkeypatch):
    read = []
    original = Engine.evaluation_loader

    def spying(engine, split):
        named = {id(engine.data.train): "train", id(engine.data.val): "val", id(engine.data.test): "test"}
        read.append((named[id(split)], engine.trainer.state.fn.value))
        return original(engine, split)

    monkeypatch.setattr(Engine, "evaluation_loader", spying)
    trained(*TABLE, "epochs=3")
    assert [name for name, _ in read].count("test") == 1 and read[-1][0] == "test"
    assert read[0] == ("val", "fit")


def test_the_test_split_decides_nothing():
    def shuffled(parts):
        parts.data.test.inputs.copy_(torch.randn_like(parts.data.test.inputs))
        return parts

    run, other = trained(*TABLE, "epochs=3"), trained(*TABLE, "epochs=3", change=shuffled)
    assert run.outcome.weights_sha256 == other.outcome.weights_sha256
    assert run.outcome.metrics["test/loss"] != other.outcome.metrics["test/loss"]


def test_losses_under_autocast_are_summed_in_full_precision():
    run = trained("epochs=1", "precision=bf16-mixed")
    loss = run.engine.history["val/loss"][0][1]
    assert loss != float(torch.tensor(loss).bfloat16())
