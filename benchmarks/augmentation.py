"""The article's augmentation of CIFAR-shaped bytes: whole batches, and one by one through PIL as in torchvision.

Both begin with bytes in memory and end with float batches: ours scaled for the model, theirs as ToTensor leaves them.
One thread: PIL uses no more, and ours would gain from others.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from pairing import Ratio, interleaved, quotients
from PIL import Image
from report import Table
from torch import Tensor
from torchvision import transforms

from descent.assembly import assemble
from descent.data.scaling import Scaling
from descent.door import compose, typed

TITLE, OURS, THEIRS = "article's augmentation, 3x32x32", "Descent", "torchvision, PIL image by image"
PROMISE = 8.0
ROWS, BATCHES = 128, 40
DATA = ("dataset=synthetic", "dataset.kind=image", "dataset.shape=[3,32,32]", "dataset.samples=640", "model=linear")


def measure(rounds: int, quick: bool) -> list[Table]:
    """Ratios and seconds, on one thread."""
    batches = 2 if quick else BATCHES
    images = torch.randint(0, 256, (ROWS * 4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    contenders = {OURS: partial(_ours, images, batches), THEIRS: partial(_theirs, images, batches)}
    with _one_thread():
        interleaved(contenders, 1)  # warms up
        taken = interleaved(contenders, 1 if quick else rounds)
    ratios, seconds = Table.of_ratios(), Table.of_seconds()
    ratios.rows.append(Ratio(TITLE, THEIRS, quotients(taken[THEIRS], taken[OURS]), PROMISE).cells())
    for name, times in taken.items():
        seconds.add(f"{TITLE}, {batches * ROWS:,} images, threads 1: {name}", times)
    return [ratios, seconds]


def _ours(images: Tensor, batches: int) -> float:
    scaling = Scaling(images)
    augmentation = assemble(typed(compose([*DATA, "augmentation=article"]))).engine.recipe.methods[-1]
    started = time.perf_counter()
    for rows in _order(len(images), batches):
        augmentation.batch_in((scaling(images.index_select(0, rows)), rows))
    return time.perf_counter() - started


def _theirs(images: Tensor, batches: int) -> float:
    arrays = images.permute(0, 2, 3, 1).numpy()
    bilinear = transforms.InterpolationMode.BILINEAR
    moves = transforms.RandomAffine(
        degrees=15, translate=(0.1, 0.1), scale=(0.9, 1.2), shear=0.1, interpolation=bilinear
    )
    transform = transforms.Compose([moves, transforms.RandomHorizontalFlip(), transforms.ToTensor()])
    started = time.perf_counter()
    for rows in _order(len(images), batches):
        torch.stack([transform(Image.fromarray(arrays[row])) for row in rows.tolist()])
    return time.perf_counter() - started


def _order(images: int, batches: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(batches):
        yield torch.randperm(images, generator=generator)[:ROWS]


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
