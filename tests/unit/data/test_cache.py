"""Prepared data comes back as it was, is whole or not there, and is refused where it is not what was prepared."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from descent.data import cache
from descent.data.curves import two_moons
from descent.data.manifest import _digest
from descent.data.split import Data, Split, split
from descent.data.tables import diabetes, iris
from descent.errors import DataError, UsageError
from descent.rules import LONGEST_LINE

HOW = {"val_fraction": 0.2, "test_fraction": 0.1, "split_seed": 0}
SETTINGS = {"_target_": "made.up", "fraction": 0.5, "resize": [4, 4]}
ORIGIN = {"path": [1, 100, 2**60]}
WORDS = {"words": ["tree", "ü"], "length": 3}


def images():
    pixels = torch.randint(0, 256, (40, 3, 5, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    train, test = Split(pixels[:30], torch.arange(30) % 2), Split(pixels[30:], torch.arange(10) % 2)
    return Data("pictures", "classification", 2, train, None, test, "d" * 64, ("no", "ja"))


def tokens():
    rows = torch.arange(60).view(20, 3)
    return Data("words", "classification", 2, Split(rows, torch.arange(20) % 2), None, None, "e" * 64, encoding=WORDS)


def names_in(folder):
    return [path.name for path in folder.iterdir()]


MADE = {
    "images": images,
    "tokens": tokens,
    "table": lambda: split(iris(), **HOW),
    "regression": lambda: split(diabetes(), **HOW),
    "points": lambda: split(two_moons(50, 0.1, 0), **HOW),
}


def everything(data):
    splits = [(part.inputs, part.targets) if part else None for part in (data.train, data.val, data.test)]
    return splits, (data.name, data.task, data.outputs, data.digest, data.classes, data.columns, data.encoding)


@pytest.mark.parametrize("name", MADE)
def test_what_is_prepared_comes_back(tmp_path, name):
    data, place = MADE[name](), tmp_path / "a" / "b"
    cache.write(place, data, SETTINGS, ORIGIN)
    (ours, about), (theirs, about_them) = everything(cache.read(place, SETTINGS, ORIGIN)), everything(data)
    assert about == about_them
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        for mapped, tensor in zip(one or (), other or (), strict=True):
            assert mapped.dtype == tensor.dtype and torch.equal(mapped, tensor)


def test_files_are_mapped_and_a_write_stays_in_memory(tmp_path):
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    data = cache.read(tmp_path / "a", SETTINGS, ORIGIN)
    assert str(tmp_path / "a" / "train_inputs.npy") in Path("/proc/self/maps").read_text()
    data.train.inputs.zero_()
    assert cache.read(tmp_path / "a", SETTINGS, ORIGIN).train.inputs.any()


def test_the_manifest_tells_what_is_there(tmp_path):
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    told = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert told["samples"] == {"train": 30, "test": 10}
    assert told["class_counts"] == {"train": [15, 15], "test": [5, 5]} and told["classes"] == ["no", "ja"]
    assert told["settings"] == SETTINGS and told["origin"] == ORIGIN
    array = told["arrays"]["train_inputs"]
    assert (array["dtype"], array["shape"]) == ("uint8", [30, 3, 5, 5])
    assert {f"{name}.npy" for name in told["arrays"]} | {"manifest.json"} == set(names_in(tmp_path / "a"))
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "test_inputs.npy"), images().test.inputs)


def test_what_was_prepared_before_is_replaced_and_nothing_is_left(tmp_path):
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    cache.write(tmp_path / "a", tokens(), SETTINGS, ORIGIN)
    assert names_in(tmp_path) == ["a"]
    assert cache.read(tmp_path / "a", SETTINGS, ORIGIN).name == "words"


@pytest.mark.parametrize("content", ["file", "folder"])
def test_nothing_else_is_ever_replaced(tmp_path, content):
    place = tmp_path / "mine"
    place.write_text("x") if content == "file" else (place / "photographs").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^dataset.cache: got .*mine, allowed a new folder or one of prepared data"):
        cache.write(place, images(), SETTINGS, ORIGIN)
    assert place.exists() and names_in(tmp_path) == ["mine"]


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path):
    (tmp_path / "a").mkdir()
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    assert cache.read(tmp_path / "a", SETTINGS, ORIGIN).name == "pictures"


# Killed while it writes


def write_and_die(place, number):
    """In a process of its own that kills itself at that event of the file system; how it ended."""
    child = os.fork()
    if child == 0:
        left = [number]

        def watch(event, arguments):
            if event in ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "shutil.rmtree"):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            cache.write(place, tokens(), SETTINGS, ORIGIN)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("before", [False, True])
def test_a_kill_leaves_the_old_cache_or_the_new_or_none(tmp_path, before):
    """At every event in turn; the next one cleans up what the killed one left."""
    place, codes = tmp_path / "a" / "b", []
    for number in range(1, 100):
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        if before:
            cache.write(place, images(), SETTINGS, ORIGIN)
        codes.append(write_and_die(place, number))
        if place.exists():
            assert cache.read(place, SETTINGS, ORIGIN).name in (["words", "pictures"] if before else ["words"])
        if codes[-1] == 0:
            break
        cache.write(place, images(), SETTINGS, ORIGIN)
        assert names_in(tmp_path / "a") == ["b"]
    assert len(codes) > 10 and codes[-1] == 0 and set(codes[:-1]) == {-signal.SIGKILL}


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    assert names_in(tmp_path) == []


# What is refused


def edited(**changes):
    """The manifest with other values, sealed again as someone would who means it."""

    def edit(place):
        file = place / "manifest.json"
        plain = json.loads(file.read_text())
        plain.pop("sha256")
        for path, value in changes.items():
            *parents, name = path.split("__")
            node = plain
            for parent in parents:
                node = node[parent]
            node.pop(name) if value is ... else node.__setitem__(name, value)
        file.write_text(json.dumps({**plain, "sha256": _digest(plain)}))

    return edit


def resealed(name, write):
    """Another file, whose digest the manifest has."""

    def edit(place):
        write(place / f"{name}.npy")
        edited(**{f"arrays__{name}__sha256": cache._sha256(place / f"{name}.npy")})(place)

    return edit


def pickled(file):
    np.save(file, np.array([{"a": 1}] * 30, dtype=object), allow_pickle=True)


def archived(file):
    with file.open("wb") as stream:
        np.savez(stream, a=np.zeros(3))


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def folder(file):
    file.unlink()
    file.mkdir()


def on(name, change):
    return lambda place: change(place / name)


def raw(name, content):
    return lambda place: (place / name).write_bytes(content)


def saved(name, array):
    return resealed(name, lambda file: np.save(file, array))


def other_word(file):
    file.write_text(file.read_text().replace('"ja"', '"yes"'))


def other_split(place):
    shutil.copy(place / "test_inputs.npy", place / "train_inputs.npy")


ELSEWHERE = {"arrays__../../x": {"dtype": "uint8", "shape": [1], "sha256": ""}}
MANIFEST, INPUTS, TARGETS = "manifest.json", "train_inputs.npy", "train_targets.npy"
BAD = {
    "no folder": (shutil.rmtree, "b: is not there"),
    "no manifest": (on(MANIFEST, Path.unlink), "b: holds no prepared data"),
    "a manifest that is a folder": (on(MANIFEST, folder), "b: holds no prepared data"),
    "an empty manifest": (raw(MANIFEST, b""), f"{MANIFEST}: cannot be read"),
    "half a manifest": (raw(MANIFEST, b'{"version": 1, "name'), f"{MANIFEST}: cannot be read"),
    "no text": (raw(MANIFEST, b"\xff\xfe\x00"), f"{MANIFEST}: cannot be read"),
    "a list": (raw(MANIFEST, b"[]"), f"{MANIFEST}: is no manifest"),
    "a deep list": (raw(MANIFEST, b"[" * 100_000), f"{MANIFEST}: cannot be read"),
    "another version": (edited(version=2), f"{MANIFEST}: has version 2, this program reads 1"),
    "no version": (edited(version=...), f"{MANIFEST}: has version None"),
    "an edit": (on(MANIFEST, other_word), f"{MANIFEST}: was changed since"),
    "no seal": (raw(MANIFEST, b'{"version": 1}'), f"{MANIFEST}: was changed since"),
    "no name": (edited(name=...), f"{MANIFEST}: name is missing"),
    "no arrays": (edited(arrays=...), f"{MANIFEST}: arrays is missing"),
    "a number for a name": (edited(name=3), f"{MANIFEST}: name is no str"),
    "text for a number": (edited(outputs="2"), f"{MANIFEST}: outputs is no int"),
    "true for a number": (edited(outputs=True), f"{MANIFEST}: outputs is no int"),
    "a list for arrays": (edited(arrays=[]), f"{MANIFEST}: arrays is no dict"),
    "an array of nothing": (edited(arrays__train_inputs={}), f"{MANIFEST}: arrays is not what"),
    "a number for an array": (edited(arrays__train_inputs=3), f"{MANIFEST}: arrays is not what"),
    "a fourth split": (edited(samples__other=3), f"{MANIFEST}: samples names train test other"),
    "no training": (edited(samples={}), f"{MANIFEST}: samples names no split"),
    "an array too few": (edited(arrays__test_targets=...), f"{MANIFEST}: arrays and samples name different"),
    "a path for a name": (edited(**ELSEWHERE), f"{MANIFEST}: arrays and samples name different"),
    "a type of objects": (edited(arrays__train_inputs__dtype="object"), f"{MANIFEST}: train_inputs has type object"),
    "a type of no text": (edited(arrays__train_inputs__dtype=[]), f"{MANIFEST}: train_inputs has type []"),
    "a shape of text": (edited(arrays__train_inputs__shape="30"), f"{MANIFEST}: train_inputs has shape 30"),
    "a negative shape": (edited(arrays__train_inputs__shape=[30, -3]), f"{MANIFEST}: train_inputs has shape"),
    "a shape of other rows": (edited(arrays__train_inputs__shape=[31, 3]), f"{MANIFEST}: train_inputs has shape"),
    "other settings": (edited(settings__fraction=0.25), "was made with fraction=0.25, and this is fraction=0.5"),
    "a long setting": (edited(settings__fraction="x" * 900), "was made with fraction=xxx"),
    "a setting too few": (edited(settings__fraction=...), f"{MANIFEST}: was made with fraction=None"),
    "other files": (edited(origin__path=[1, 101, 2**60]), f"{MANIFEST}: was made from files that have changed"),
    "other class counts": (edited(class_counts__train=[14, 16]), f"{TARGETS}: has other classes"),
    "no class counts": (edited(class_counts={}), f"{TARGETS}: has other classes"),
    "fewer classes": (edited(outputs=1), f"{TARGETS}: has other classes"),
    "no inputs": (on(INPUTS, Path.unlink), f"{INPUTS}: cannot be read: No such file"),
    "inputs that are a folder": (on(INPUTS, folder), f"{INPUTS}: cannot be read: Is a directory"),
    "a byte too few": (on(INPUTS, cut), f"{INPUTS}: is not what was prepared"),
    "a bit flipped": (on("test_targets.npy", flip), "test_targets.npy: is not what was prepared"),
    "nothing in a file": (raw(TARGETS, b""), f"{TARGETS}: is not what was prepared"),
    "another split's file": (other_split, f"{INPUTS}: is not what was prepared"),
    "a pickle": (resealed("train_inputs", pickled), f"{INPUTS}: is no array of numbers"),
    "a text": (resealed("train_inputs", lambda file: file.write_bytes(b"hello")), f"{INPUTS}: is no array of numbers"),
    "an archive": (resealed("train_inputs", archived), f"{INPUTS}: has another type or shape"),
    "a file cut and sealed": (resealed("train_inputs", cut), f"{INPUTS}: is no array of numbers, or not all of one"),
    "another type": (saved("train_inputs", np.zeros((30, 3, 5, 5))), f"{INPUTS}: has another type"),
    "another shape": (saved("train_inputs", np.zeros((30, 75), np.uint8)), f"{INPUTS}: has another type or shape"),
    "classes that there are not": (saved("test_targets", np.arange(10)), "test_targets.npy: has other classes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_what_was_prepared_is_refused_in_a_line(tmp_path, name):
    spoil, line = BAD[name]
    place = tmp_path / "a" / "b"
    cache.write(place, images(), SETTINGS, ORIGIN)
    spoil(place)
    with pytest.raises(DataError) as refusal:
        cache.read(place, SETTINGS, ORIGIN)
    said = str(refusal.value)
    assert line in said and refusal.value.exit_code == 3
    assert len(said.splitlines()) == 1 and len(said) <= LONGEST_LINE
    assert said.endswith("python src/prepare.py makes it anew")


def test_files_that_are_gone_are_not_missed(tmp_path):
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    assert cache.read(tmp_path / "a", SETTINGS, {}).name == "pictures"


def test_a_manifest_sealed_again_without_a_change_is_fine(tmp_path):
    cache.write(tmp_path / "a", images(), SETTINGS, ORIGIN)
    edited()(tmp_path / "a")
    assert cache.read(tmp_path / "a", SETTINGS, ORIGIN).name == "pictures"
