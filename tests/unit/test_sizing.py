"""Threads and chunks by the size of the work. Counts of parameters and multiply-adds are with the models' tests."""

import os

import pytest

from descent.sizing import CHUNK_BYTES, CHUNK_WORK, LARGEST_CHUNK, SMALL_WORK, chunk_for, threads_for
from reference.trained import TABLE, parts_of

CORES = len(os.sched_getaffinity(0))


def test_small_work_takes_one_thread_and_large_work_all(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_for(0) == threads_for(SMALL_WORK - 1) == 1
    assert threads_for(SMALL_WORK) == threads_for(10**15) == CORES


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("999", CORES), ("", CORES), ("0", CORES), ("2,1", CORES)])
def test_large_work_takes_no_more_than_the_environment_allows(monkeypatch, said, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert threads_for(10**15) == threads


@pytest.mark.parametrize(
    ("work", "row_bytes", "rows", "expected"),
    [
        (0, 1, 1, LARGEST_CHUNK),
        (1000, 256, 32, LARGEST_CHUNK),
        (10**7, 1, 1, CHUNK_WORK["cpu"] // (3 * 10**7)),
        (10**12, 1, 1, 1),
        (1000, 1 << 20, 8, CHUNK_BYTES >> 23),
        (1000, 1 << 30, 1, 1),
    ],
)
def test_chunks_are_bounded_by_work_memory_and_number(work, row_bytes, rows, expected):
    assert chunk_for(work, row_bytes, rows, "cpu") == expected


def test_a_gpu_takes_more_at_once():
    assert chunk_for(10**9, 1, 1, "cuda") > chunk_for(10**9, 1, 1, "cpu") == 1


@pytest.mark.parametrize(
    ("overrides", "threads"),
    [
        (["model.hidden=[8]", "batch_size=16", "threads=auto"], 1),
        (["model.hidden=[4096,4096]", "batch_size=16", "threads=auto"], CORES),
        (["model.hidden=[4096,4096]", "batch_size=16", "threads=1"], 1),
        (["model.hidden=[8]", "batch_size=16", "threads=2"], 2),
    ],
)
def test_threads_of_a_run(overrides, threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert parts_of(*TABLE, *overrides)[1].threads == threads


def test_parts_know_their_size():
    _, parts = parts_of(*TABLE, "epochs=3", "batch_size=16", "accumulate=4")
    assert parts.parameters == 6 * 8 + 8 + 8 * 3 + 3
    assert parts.multiply_adds == 6 * 8 + 8 * 3
    assert parts.steps == 3 * 3


def test_a_chunk_that_is_set_is_kept():
    assert parts_of(*TABLE, "loader.chunk=7")[1].engine.recipe.feed.chunk == 7
    assert parts_of(*TABLE, "loader.chunk=auto")[1].engine.recipe.feed.chunk == LARGEST_CHUNK
