"""Images in a file are the same images, and the file has no name."""

from pathlib import Path

import pytest
import torch

from descent.data.image_folder import image_folder
from descent.data.rooms import BLOCK, fits, picked, room
from descent.data.split import split
from descent.errors import EnvironmentFault
from reference import tiny_sets
from reference.tiny_sets import noise

CUT = {"val_fraction": 0.2, "test_fraction": 0.2, "split_seed": 0}


def is_mapped(scratch):
    """Whether this process maps a file of that folder."""
    return str(scratch) in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(("size", "free", "whether"), [(40, 100, True), (41, 100, False), (0, 0, True), (1, 1, False)])
def test_twice_the_samples_must_fit(size, free, whether):
    assert fits(size, free) is whether


def test_a_file_without_a_name(tmp_path):
    scratch = tmp_path / "new" / "folder"
    tensor = room((3, 2, 5), scratch)
    assert (tensor.dtype, tensor.shape, is_mapped(scratch)) == (torch.uint8, (3, 2, 5), True)
    tensor.fill_(7)
    assert tensor.sum() == 210
    assert list(tmp_path.iterdir()) == [], "nor does its folder stay"
    del tensor
    assert not is_mapped(scratch)


def test_memory_has_no_file(tmp_path):
    assert room((3, 2), None).shape == (3, 2)
    assert not is_mapped(tmp_path)


def test_a_disk_that_is_too_small_says_so_at_once(tmp_path):
    scratch = tmp_path / "scratch"
    with pytest.raises(EnvironmentFault, match=r"scratch: no room for [0-9,]+ bytes of images \(.*\); free some") as no:
        room((1 << 50, 1 << 10), scratch)
    assert len(str(no.value)) <= 200 and not scratch.exists()


def test_a_place_where_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match=r"file/scratch: no room for 6 bytes of images \(Not a directory\)"):
        room((3, 2), tmp_path / "file" / "scratch")


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_rows_are_picked_block_by_block(tmp_path, rows):
    samples = torch.from_numpy(noise(2 * BLOCK + 1, 3))
    chosen = torch.randperm(len(samples))[:rows]
    assert torch.equal(picked(samples, chosen, tmp_path if rows else None), samples[chosen])


def test_a_folder_in_a_file_is_the_folder_in_memory(tmp_path):
    tiny_sets.images(tmp_path / "images")
    scratch = tmp_path / "scratch"
    in_memory = image_folder(str(tmp_path / "images"), in_memory=True, scratch=str(scratch))
    assert (in_memory.scratch, scratch.exists()) == (None, False)
    in_file = image_folder(str(tmp_path / "images"), in_memory=False, scratch=str(scratch))
    assert torch.equal(in_file.inputs, in_memory.inputs)
    one, other = split(in_file, **CUT), split(in_memory, **CUT)
    del in_file
    assert is_mapped(scratch)  # by the splits
    assert one.digest == other.digest
    for name in ("train", "val", "test"):
        assert torch.equal(getattr(one, name).inputs, getattr(other, name).inputs)
        assert torch.equal(getattr(one, name).targets, getattr(other, name).targets)
