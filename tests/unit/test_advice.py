"""What is said before a training, and what is not."""

import pytest

from descent.advice import warnings

SAID = "mirrors images whose mirror images are of no class here"
DATASETS = ("digits", "mnist", "fashion_mnist", "kmnist", "svhn", "cifar10", "cifar100")
SHORT = ["epochs=1", "tracking=none", "model.hidden=[4]"]


def settings(mirrored, **augmentation):
    return {"dataset": {} if mirrored is None else {"mirrored": mirrored}, "augmentation": augmentation}


@pytest.mark.parametrize(
    ("mirrored", "augmentation", "keys"),
    [
        (False, {"flip": 0.5, "vertical_flip": 0.0}, ["flip"]),
        (False, {"flip": 0.0, "vertical_flip": 0.1}, ["vertical_flip"]),
        (False, {"flip": 1.0, "vertical_flip": 1.0}, ["flip", "vertical_flip"]),
        (False, {"flip": 0.0, "vertical_flip": 0.0}, []),
        (False, {}, []),
        (True, {"flip": 0.5, "vertical_flip": 0.5}, []),
        (None, {"flip": 0.5, "vertical_flip": 0.5}, []),
    ],
)
def test_a_mirror_image_of_what_has_none(mirrored, augmentation, keys):
    lines = warnings(settings(mirrored, **augmentation))
    assert [line.split(": ")[1] for line in lines] == [f"augmentation.{key}" for key in keys]
    assert all(SAID in line and len(line) <= 200 for line in lines)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_of_images_knows_whether_it_may_be_mirrored(composed, dataset):
    lines = warnings(composed(f"dataset={dataset}", "augmentation=flip").settings)
    assert len(lines) == (dataset in ("digits", "mnist", "kmnist", "svhn"))


def test_flipped_digits_are_warned_about_once_and_trained(run_here):
    answer = run_here(["augmentation=flip", *SHORT])
    assert answer.code == 0
    assert [line.split(":")[0] for line in answer.err.splitlines()] == ["warning"] and SAID in answer.err


@pytest.mark.parametrize("more", [["augmentation=light"], ["augmentation=article", "augmentation.flip=0"]])
def test_what_mirrors_nothing_is_not(run_here, more):
    answer = run_here([*more, *SHORT])
    assert (answer.code, answer.err) == (0, "")
    answer = run_here(["augmentation=flip", "dataset.mirrored=true", "dry_run=true", *SHORT])
    assert (answer.code, answer.err) == (0, "")


def test_a_grid_says_it_once(run_here):
    answer = run_here(["-m", "augmentation=flip", "seed=0,1", "dry_run=true", *SHORT])
    assert answer.code == 0 and answer.err.count(SAID) == 1
