"""Augmentations for tests: by their knobs alone, and one that tells what it was asked for."""

from pathlib import Path

import torch
import yaml

from descent.augmentation.augmentation import Augmentation
from descent.data.scaling import Scaling
from descent.reproducibility import Noise

CONF = Path(__file__).parents[2] / "conf"
DESCRIBING = ("allowed", "requires", "defaults", "_target_")


def knobs(choice=None):
    """Those of a choice, or all of them switched off."""
    files = [CONF / "every_augmentation.yaml", *([CONF / "augmentation" / f"{choice}.yaml"] if choice else [])]
    merged = {key: value for file in files for key, value in yaml.safe_load(file.read_text()).items()}
    return {key: value for key, value in merged.items() if key not in DESCRIBING}


def made(images, choice=None, scaling="none", **changes):
    """An augmentation of images like these."""
    return Augmentation(Scaling(images, scaling), images, **{**knobs(choice), **changes})


def drawn(augmentation, images, place=0):
    """What comes of the images at that place of a training."""
    Noise(0, torch.device("cpu")).at(0, place)
    return augmentation.batch_in((images, torch.arange(len(images))))[0]


class Counted(Augmentation):
    """Says how often it has been called."""

    calls = 0

    def batch_in(self, batch):
        Counted.calls += 1
        return super().batch_in(batch)
