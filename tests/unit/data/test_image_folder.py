"""Folders of images as bytes, against the arrays that the files were written from."""

import numpy as np
import pytest
import torch
from PIL import Image

from descent.data.image_folder import image_folder
from descent.data.knobs import COMMON, Knobs
from descent.data.pictures import Header, header_of, pixels_of
from descent.data.shaping import resized, shaped
from descent.data.split import split
from descent.errors import UsageError
from reference import tiny_sets
from reference.tiny_sets import noise

COLOUR, PLAIN = noise(6, 9, 3), noise(6, 9, seed=1)


def saved(tmp_path, array, name="x.png", mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(tmp_path / name, **options)
    return tmp_path / name


def chw(array):
    return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif", ".PNG"])
@pytest.mark.parametrize("array", [COLOUR, PLAIN], ids=["colour", "grey"])
def test_an_image_is_what_was_written(tmp_path, array, suffix):
    if suffix == ".ppm" and array.ndim == 2:
        suffix = ".pgm"
    file = saved(tmp_path, array, f"x{suffix}")
    assert header_of(file) == Header(6, 9, 3 if array.ndim == 3 else 1)
    assert torch.equal(pixels_of(file, 3 if array.ndim == 3 else 1), chw(array))


def test_grey_as_colour_and_colour_as_grey(tmp_path):
    assert torch.equal(pixels_of(saved(tmp_path, PLAIN), 3), chw(PLAIN).repeat(3, 1, 1))
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels_of(saved(tmp_path, COLOUR), 1)[0].numpy() - luma).max() <= 1


@pytest.mark.parametrize("quality", [90, 100])
def test_a_photograph_is_close_to_what_was_written(tmp_path, quality):
    smooth = np.add.outer(np.arange(32) * 3, np.arange(48) * 2)[..., None] // [1, 2, 3]
    smooth = smooth.astype(np.uint8)
    got = pixels_of(saved(tmp_path, smooth, "x.jpg", quality=quality), 3)
    assert (got.int() - chw(smooth).int()).abs().float().mean() < 3


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_camera_on_its_side(tmp_path, turned):
    """What EXIF's orientation says, as its standard has it: where the stored row 0 and column 0 are seen."""
    exif = Image.Exif()
    exif[0x0112] = turned
    file = saved(tmp_path, COLOUR, "x.png", exif=exif)
    upright = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: COLOUR.transpose(1, 0, 2)[:, ::-1],
        7: COLOUR.transpose(1, 0, 2)[::-1, ::-1],
        8: COLOUR.transpose(1, 0, 2)[::-1],
    }[turned]
    assert header_of(file)[:2] == upright.shape[:2]
    assert torch.equal(pixels_of(file, 3), chw(upright.copy()))


def test_what_is_transparent_lies_on_black(tmp_path):
    alpha = np.zeros((6, 9, 1), np.uint8)
    alpha[:, 4:] = 255
    file = saved(tmp_path, np.concatenate([COLOUR, alpha], axis=2))
    got = pixels_of(file, 3)
    assert got[:, :, :4].max() == 0
    assert torch.equal(got[:, :, 4:], chw(COLOUR)[:, :, 4:])


@pytest.mark.parametrize("mode", ["P", "CMYK", "1"])
def test_other_modes_are_converted(tmp_path, mode):
    flat = np.full((4, 4, 3), 255, np.uint8)
    file = saved(tmp_path, flat, "x.tif", mode=mode)
    assert header_of(file).channels == (1 if mode == "1" else 3)
    assert torch.equal(pixels_of(file, 3), torch.full((3, 4, 4), 255, dtype=torch.uint8))


def test_a_folder_is_what_was_written(tmp_path):
    written = tiny_sets.images(tmp_path, ["b", "a", "c d"])
    source = image_folder(str(tmp_path))
    assert source.classes == ("a", "b", "c d")
    assert source.targets.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert np.array_equal(
        source.inputs.permute(0, 2, 3, 1), np.concatenate([written[12:24], written[:12], written[24:]])
    )
    assert (source.inputs.dtype, source.outputs, source.test) == (torch.uint8, 3, None)


def test_a_test_part_of_its_own(tmp_path):
    tiny_sets.images(tmp_path / "train")
    written = tiny_sets.images(tmp_path / "test", ["dog", "cat"], count=3)
    source = image_folder(str(tmp_path))
    assert len(source.targets) == 24
    inputs, targets = source.test
    assert targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(inputs.permute(0, 2, 3, 1), np.concatenate([written[3:], written[:3]]))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_part_of_its_own(tmp_path, name):
    tiny_sets.images(tmp_path / "train")
    written = tiny_sets.images(tmp_path / name, count=3)
    data = split(image_folder(str(tmp_path)), val_fraction=0.1, test_fraction=0.25, split_seed=0)
    assert [len(part) for part in (data.train, data.val, data.test)] == [18, 6, 6]
    assert np.array_equal(data.val.inputs.permute(0, 2, 3, 1), written)
    assert data.val.targets.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_validation_part_is_left_out_with_no_fraction_and_refused_with_folds(tmp_path):
    for part in ("train", "val", "test"):
        tiny_sets.images(tmp_path / part)
    source = image_folder(str(tmp_path), resize=4)
    data = split(source, val_fraction=0, test_fraction=0, split_seed=0)
    assert (len(data.train), data.val, len(data.test)) == (24, None, 24)
    with pytest.raises(UsageError, match="folds: got 3, allowed 1; dataset image_folder has a validation part"):
        split(source, val_fraction=0.1, test_fraction=0, split_seed=0, folds=3)
    grey = shaped(source, Knobs(**{**dict.fromkeys(COMMON), "channels": 1}))
    assert {part[0].shape[1] for part in grey.parts} == {1}
    assert len(grey.parts) == 3


def test_mixed_sizes_under_resize(tmp_path):
    tiny_sets.images(tmp_path)
    saved(tmp_path / "cat", COLOUR, "x.png")
    source = image_folder(str(tmp_path), resize=[4, 5])
    assert source.inputs.shape == (25, 3, 4, 5)
    assert torch.equal(source.inputs[12], resized(chw(COLOUR)[None], [4, 5])[0])
    assert image_folder(str(tmp_path), resize=4).inputs.shape == (25, 3, 4, 4)


def test_grey_if_all_are(tmp_path):
    for name, array in (("cat", PLAIN), ("dog", PLAIN)):
        (tmp_path / name).mkdir()
        saved(tmp_path / name, array)
    assert image_folder(str(tmp_path)).inputs.shape == (2, 1, 6, 9)
    assert image_folder(str(tmp_path), channels=3).inputs.shape == (2, 3, 6, 9)
    saved(tmp_path / "dog", COLOUR, "y.png")
    assert image_folder(str(tmp_path)).inputs.shape == (3, 3, 6, 9)
    assert image_folder(str(tmp_path), channels=1).inputs.shape == (3, 1, 6, 9)


def test_others_are_skipped_where_that_is_asked_for(tmp_path):
    tiny_sets.images(tmp_path)
    for name in ("cat/notes.txt", "README.md", "cat/.hidden.png", "dog/Thumbs.db", ".git"):
        (tmp_path / name).write_text("x")
    assert len(image_folder(str(tmp_path), others="skip").targets) == 24


def test_links_to_images_and_classes_are_followed(tmp_path):
    tiny_sets.images(tmp_path / "elsewhere")
    (tmp_path / "here").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "elsewhere" / name)
    (tmp_path / "elsewhere" / "cat" / "x.png").symlink_to(tmp_path / "elsewhere" / "dog" / "000.png")
    assert len(image_folder(str(tmp_path / "here")).targets) == 25
