"""The ordinary way: Lightning as its templates use it, over a DataLoader, with torchmetrics and MLflow's own logger."""

import copy
import io
import logging
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

Loaders = tuple[DataLoader[Any], DataLoader[Any]]


class Ordinary(pl.LightningModule):
    """Automatic optimization, everything worth knowing through self.log."""

    def __init__(self, model: nn.Module, classes: int, lr: float) -> None:
        super().__init__()
        self.model, self.lr = model, lr
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        inputs, targets = batch
        outputs = self.model(inputs)
        loss = F.cross_entropy(outputs, targets)
        self.train_accuracy(outputs, targets)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.log("train/accuracy", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        inputs, targets = batch
        outputs = self.model(inputs)
        self.val_accuracy(outputs, targets)
        self.log("val/loss", F.cross_entropy(outputs, targets), prog_bar=True)
        self.log("val/accuracy", self.val_accuracy, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Grey images as torchvision's datasets serve them: through PIL and a transform, one at a time."""

    def __init__(self, images: np.ndarray, targets: list[int]) -> None:
        from PIL import Image
        from torchvision import transforms

        self.images, self.targets, self.picture = images, targets, Image.fromarray
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.picture(self.images[index])), self.targets[index]


def tensor_loaders(train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], batch_size: int) -> Loaders:
    """Over tensors that are scaled already."""
    return _loaders(TensorDataset(*train), TensorDataset(*val), batch_size)


def picture_loaders(train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], batch_size: int) -> Loaders:
    """Over as many images of the same shape, as bytes."""
    train_pictures, val_pictures = (
        Pictures((part.squeeze(1) * 40 + 128).clamp(0, 255).byte().numpy(), targets.tolist())
        for part, targets in (train, val)
    )
    return _loaders(train_pictures, val_pictures, batch_size)


def _loaders(train: Dataset[Any], val: Dataset[Any], batch_size: int) -> Loaders:
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(val, batch_size=batch_size)


def ordinary(
    model: nn.Module, loaders: Loaders, classes: int, lr: float, epochs: int, logger: Logger | bool, accelerator: str
) -> float:
    """Seconds of Trainer.fit with its default progress bar, on a copy of the model."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    module = Ordinary(copy.deepcopy(model), classes, lr)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=epochs, accelerator=accelerator, devices=1, logger=logger, enable_checkpointing=False
        )
        started = time.perf_counter()
        trainer.fit(module, *loaders)
        return time.perf_counter() - started
