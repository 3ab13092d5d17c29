"""An epoch is every sample once, in an order of its own, however it is cut and read."""

import pytest
import torch

from descent.data.loading import EVALUATION_ROWS, EvaluationLoader, Feed, TrainingLoader
from descent.data.split import Split
from descent.reproducibility import epoch_order

CPU = torch.device("cpu")


def counted(rows):
    return Split(torch.arange(rows).float().unsqueeze(1), torch.arange(rows))


def feed(**changes):
    return Feed(**{"batch_size": 8, "accumulate": 1, "chunk": 3, "drop_last": False, "seed": 5, **changes})


def rows_of(loader):
    return torch.cat([chunk.targets for chunk in loader])


@pytest.mark.parametrize("rows", [40, 37, 8, 5])
@pytest.mark.parametrize("chunk", [1, 3, 512])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("stream", [False, True])
def test_an_epoch_is_the_order_of_the_seed(rows, chunk, accumulate, stream):
    how = feed(chunk=chunk, accumulate=accumulate, stream=stream)
    loader = TrainingLoader(counted(rows), how, CPU)
    for epoch in (0, 3):
        loader.epoch = epoch
        chunks = list(loader)
        assert torch.equal(torch.cat([one.targets for one in chunks]), epoch_order(5, epoch, rows))
        assert all(torch.equal(one.inputs.squeeze(1), one.targets.float()) for one in chunks)
        per_chunk = accumulate * (1 if stream else chunk)
        assert [one.first for one in chunks] == list(range(0, how.batches(rows), per_chunk))
        assert len(chunks) == len(loader)


@pytest.mark.parametrize(("rows", "whole"), [(40, 40), (37, 32), (8, 8)])
def test_drop_last(rows, whole):
    how = feed(drop_last=True)
    seen = rows_of(TrainingLoader(counted(rows), how, CPU))
    assert torch.equal(seen, epoch_order(5, 0, rows)[:whole])
    assert how.batches(rows) == whole // 8


@pytest.mark.parametrize(
    ("rows", "accumulate", "batches", "steps"), [(40, 1, 5, 5), (37, 1, 5, 5), (37, 2, 5, 3), (37, 5, 5, 1)]
)
def test_minibatches_and_steps(rows, accumulate, batches, steps):
    how = feed(accumulate=accumulate)
    assert (how.batches(rows), how.steps(rows)) == (batches, steps)


def test_reading_processes_change_nothing():
    split = counted(37)
    loader = TrainingLoader(split, feed(stream=True, workers=2), CPU)
    for epoch in (0, 1):
        loader.epoch = epoch
        assert torch.equal(rows_of(loader), epoch_order(5, epoch, 37))


def test_ranks_share_an_epoch():
    parts = [rows_of(TrainingLoader(counted(40), feed(chunk=1, devices=2), CPU, rank)) for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1]) == 20
    assert sorted(torch.cat(parts).tolist()) == list(range(40))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("rows", [3, EVALUATION_ROWS, EVALUATION_ROWS + 1, 2500])
def test_evaluation_keeps_the_order(rows, stream):
    loader = EvaluationLoader(counted(rows), feed(stream=stream), CPU)
    assert torch.equal(rows_of(loader), torch.arange(rows))
    assert torch.equal(rows_of(loader), torch.arange(rows)), "a second pass is like the first"
    assert len(list(loader)) == len(loader) == -(-rows // EVALUATION_ROWS)
