"""An epoch is every sample once, in an order of its own, however it is cut and read."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from descent.data import loading
from descent.data.loading import EVALUATION_ROWS, EvaluationLoader, Feed, TrainingLoader
from descent.data.scaling import Scaling
from descent.data.split import Split
from descent.reproducibility import epoch_order

SRC = Path(__file__).parents[3] / "src"
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
        loader.begin(epoch, 0)
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
        loader.begin(epoch, 0)
        assert torch.equal(rows_of(loader), epoch_order(5, epoch, 37))


def test_ranks_share_an_epoch():
    parts = [rows_of(TrainingLoader(counted(40), feed(chunk=1, devices=2), CPU, rank=rank)) for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1]) == 20
    assert sorted(torch.cat(parts).tolist()) == list(range(40))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("rows", [3, EVALUATION_ROWS, EVALUATION_ROWS + 1, 2500])
def test_evaluation_keeps_the_order(rows, stream):
    loader = EvaluationLoader(counted(rows), feed(stream=stream), CPU)
    assert torch.equal(rows_of(loader), torch.arange(rows))
    assert torch.equal(rows_of(loader), torch.arange(rows)), "a second pass is like the first"
    assert len(list(loader)) == len(loader) == -(-rows // EVALUATION_ROWS)


@pytest.mark.parametrize("kind", ["standard", "unit"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_rows_scaled_once_are_rows_scaled_a_chunk_at_a_time(monkeypatch, kind, dtype):
    generator = torch.Generator().manual_seed(0)
    inputs = (torch.rand(77, 3, 5, 5, generator=generator) * 255).to(dtype)
    split, scaling = Split(inputs, torch.arange(77)), Scaling(inputs, kind)
    exact = (inputs.double() - scaling.mean.double()) / scaling.deviation.double()

    def seen(how):
        loaders = (TrainingLoader(split, how, CPU, scaling), EvaluationLoader(split, how, CPU, scaling))
        return [torch.cat([chunk.inputs for chunk in loader]) for loader in loaders], loaders[0]

    (once, evaluated), loader = seen(feed())
    order = rows_of(loader)
    torch.testing.assert_close(once.double(), exact[order], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(evaluated.double(), exact, rtol=1e-5, atol=1e-5)
    streamed, _ = seen(feed(stream=True))
    monkeypatch.setattr(loading, "SCALED_ONCE", 0)
    chunked, _ = seen(feed())
    assert torch.equal(chunked[0], once) and torch.equal(chunked[1], evaluated)
    assert torch.equal(streamed[0], once) and torch.equal(streamed[1], evaluated)


# From the middle of an epoch


@pytest.mark.parametrize("how", [{}, {"accumulate": 2}, {"stream": True}, {"drop_last": True}, {"chunk": 512}])
@pytest.mark.parametrize("rows", [80, 77])
def test_an_epoch_goes_on_from_any_step(how, rows):
    how = feed(**how)
    loader = TrainingLoader(counted(rows), how, CPU)
    loader.begin(3, 0)
    whole = rows_of(loader)
    for first in range(0, how.batches(rows), how.accumulate):
        loader.begin(3, first)
        chunks = list(loader)
        assert torch.equal(torch.cat([one.targets for one in chunks]), whole[first * 8 :])
        assert chunks[0].first == first and len(chunks) == len(loader)


@pytest.mark.parametrize("stream", [False, True])
def test_an_epoch_that_is_done_is_one_empty_chunk(stream):
    loader = TrainingLoader(counted(40), feed(stream=stream), CPU)
    loader.begin(3, 5)
    [chunk] = loader
    assert chunk.rows == len(chunk.targets) == 0 and len(loader) == 1
    loader.begin(4, 0)
    assert torch.equal(rows_of(loader), epoch_order(5, 4, 40))


@pytest.mark.parametrize("every", [1, 4, 7, 10, 23])
@pytest.mark.parametrize("chunk", [1, 3, 512])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_chunk_ends_where_a_checkpoint_is_due(every, chunk, accumulate):
    """Steps are those of the whole training: they run on over the ends of epochs."""
    how = feed(chunk=chunk, accumulate=accumulate, checkpoint_every=every)
    loader, steps, ends = TrainingLoader(counted(77), how, CPU), how.steps(77), set()
    for epoch in range(5):
        loader.begin(epoch, 0)
        firsts = [one.first for one in loader]
        assert len(firsts) == len(loader) and not any(first % accumulate for first in firsts)
        assert max(b - a for a, b in zip(firsts, [*firsts[1:], 10], strict=True)) <= chunk * accumulate
        ends |= {epoch * steps + first // accumulate for first in firsts}
    assert set(range(every, 5 * steps, every)) <= ends


# Its processes

READER = """
import sys, torch
from descent.data.loading import Feed, TrainingLoader
from descent.data.split import Split
if __name__ == "__main__":
    split = Split(torch.zeros(64, 1), torch.arange(64))
    loader = TrainingLoader(split, Feed(8, 1, 1, False, 0, stream=True, workers=2), torch.device("cpu"))
    chunks = iter(loader)
    next(chunks)
    print("reading", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", [TrainingLoader, EvaluationLoader])
def test_closing_ends_the_reading_processes(kind):
    loader, before = kind(counted(40), feed(stream=True, workers=2), CPU), psutil.Process().children()
    chunks = iter(loader)
    next(chunks)
    assert len(psutil.Process().children()) == len(before) + 2
    del chunks
    loader.close()
    assert psutil.Process().children() == before


def test_reading_processes_end_with_a_killed_parent():
    command, pipe = [sys.executable, "-c", READER], subprocess.PIPE
    with subprocess.Popen(command, cwd=SRC, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout.readline() == "reading\n"
        workers = psutil.Process(parent.pid).children()
        assert len(workers) == 2
        parent.kill()
    gone, alive = psutil.wait_procs(workers, timeout=3)  # by themselves they would ask for their parent after five
    assert len(gone) == 2 and not alive
