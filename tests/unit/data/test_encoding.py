"""Tables as numbers, against scikit-learn, and never by rows that are not trained on."""

import json
import random

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from descent.data.csv_table import csv_table
from descent.data.encoding import encode_table
from descent.errors import DataError

CHANCE = random.Random(0)
SIZES = ["1.5", "2", "", "4.25", "-3", "1e2", "NA", "7"]
COLOURS = ["red", "red", "red", "blue", "blue", "green", "?", "red"]
WORDS = ["a", "small", "apple", "fell", "far", "from", "the", "old", "tree"]


def table_of(count=40):
    """Columns of every kind, with missing values; rows are lists of texts."""
    rows = []
    for row in range(count):
        note = " ".join(CHANCE.choice(WORDS) for _ in range(CHANCE.randrange(1, 9)))
        good = CHANCE.choice(["yes", "no"])
        rows.append([str(row), CHANCE.choice(SIZES), CHANCE.choice(COLOURS), good, note, "ab"[row % 2]])
    return [["id", "size", "colour", "good", "note", "kind"], *rows]


def write(path, rows):
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    return path


def encode(path, rows, **knobs):
    knobs = {"ignore": ["id", "note"], **knobs} if "text" not in knobs else knobs
    source = csv_table(str(path), "kind", **knobs)
    return source.encode(torch.tensor(rows), source.columns)


@pytest.fixture
def rows():
    CHANCE.seed(3)
    return table_of()


TRAIN = list(range(4, 30))


def test_numbers_are_imputed_as_scikit_learn_imputes_them(tmp_path, rows):
    found = encode(write(tmp_path / "t.csv", rows), TRAIN)
    values = np.array([[float(row[1]) if row[1] not in ("", "NA") else np.nan] for row in rows[1:]])
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(values[TRAIN])
    assert found.columns[:2] == ("size", "size is missing")
    np.testing.assert_allclose(found.inputs[:, :2], imputer.transform(values))


def test_categories_are_one_hot_as_scikit_learn_encodes_them(tmp_path, rows):
    found = encode(write(tmp_path / "t.csv", rows), TRAIN)
    order = next(column for column in found.encoding["columns"] if column["name"] == "colour")["categories"]
    counts = {text: sum(rows[1 + row][2] == text for row in TRAIN) for text in order}
    assert order == sorted(order, key=lambda text: (-counts[text], text)) and set(order) == {"red", "blue", "green"}
    encoder = OneHotEncoder(categories=[order], handle_unknown="ignore", sparse_output=False)
    expected = encoder.fit([[text] for text in order]).transform([[row[2]] for row in rows[1:]])
    names = [f"colour={text}" for text in order]
    at = [found.columns.index(name) for name in names]
    np.testing.assert_array_equal(found.inputs[:, at], expected)
    missing = found.inputs[:, found.columns.index("colour is missing")]
    np.testing.assert_array_equal(missing, [float(row[2] == "?") for row in rows[1:]])
    assert not found.inputs[:, found.columns.index("colour=other")].any()


def test_booleans_are_0_and_1(tmp_path, rows):
    found = encode(write(tmp_path / "t.csv", rows), TRAIN)
    assert found.columns[-1] == "good"
    np.testing.assert_array_equal(found.inputs[:, -1], [float(row[3] == "yes") for row in rows[1:]])


def test_rare_and_unknown_and_newly_missing_ones_share_a_column(tmp_path):
    colours = ["red", "red", "blue", "blue", "pink", "violet", ""]
    body = [[colour, "ab"[place % 2]] for place, colour in enumerate([*colours, "red"])]
    found = encode(write(tmp_path / "t.csv", [["colour", "kind"], *body]), [0, 1, 2, 3, 4], ignore=[])
    assert found.columns == ("colour=blue", "colour=red", "colour=other")
    picture = [[0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert found.inputs.tolist() == picture


@pytest.mark.parametrize("knobs", [{}, {"text": "note"}], ids=["table", "text"])
def test_other_rows_change_nothing(tmp_path, rows, knobs):
    before = encode(write(tmp_path / "t.csv", rows), TRAIN, **knobs)
    others = sorted(set(range(40)) - set(TRAIN))
    for row in others:
        rows[1 + row][1:5] = [str(CHANCE.randrange(1000)), "violet", "", "words that nobody knew " * 20]
    after = encode(write(tmp_path / "t.csv", rows), TRAIN, **knobs)
    assert after.encoding == before.encoding
    assert after.columns == before.columns
    assert torch.equal(after.inputs[TRAIN], before.inputs[TRAIN])
    assert not torch.equal(after.inputs[others], before.inputs[others])


@pytest.mark.parametrize("knobs", [{}, {"text": "note"}], ids=["table", "text"])
def test_a_later_table_is_encoded_by_what_a_run_keeps(tmp_path, rows, knobs):
    found = encode(write(tmp_path / "t.csv", rows), TRAIN, **knobs)
    kept = json.loads(json.dumps(found.encoding))
    assert torch.equal(encode_table(tmp_path / "t.csv", kept), found.inputs)
    shuffled = [[row[place] for place in (4, 2, 3, 1)] for row in rows]  # without target and id, in another order
    assert torch.equal(encode_table(write(tmp_path / "later.csv", shuffled), kept), found.inputs)
    needed = "note" if knobs else "colour"
    without = [[cell for cell, name in zip(row, rows[0], strict=True) if name != needed] for row in rows]
    with pytest.raises(DataError, match=f"no column {needed}"):
        encode_table(write(tmp_path / "fewer.csv", without), kept)


def test_types_overrule_the_guess(tmp_path, rows):
    path = write(tmp_path / "t.csv", rows)
    found = encode(path, TRAIN, types={"good": "category", "size": "ignore"})
    assert {column["name"]: column["type"] for column in found.encoding["columns"]} == {
        "colour": "category",
        "good": "category",
    }
    source = csv_table(str(path), "kind", types={"note": "text"}, ignore=["id"])
    assert source.columns == ("size", "colour", "good")


def test_chosen_columns_alone_are_encoded(tmp_path, rows):
    source = csv_table(str(write(tmp_path / "t.csv", rows)), "kind")
    found = source.encode(torch.tensor(TRAIN), ("good", "id"))
    assert found.columns == ("good", "id")


def test_words_are_numbered_by_how_often_they_are_trained_on(tmp_path):
    texts = ["The cat", "the dog; THE end", "a cat isn't", "", "unheard words of a cat"]
    body = [[f'"{text}"', "ab"[place % 2]] for place, text in enumerate(texts)]
    found = encode(write(tmp_path / "t.csv", [["note", "kind"], *body]), [0, 1, 2], text="note", vocabulary=5)
    assert found.encoding["words"] == ["the", "cat", "a", "dog", "end"]
    assert found.encoding["length"] == 4
    assert found.inputs.dtype == torch.int64
    assert found.inputs.tolist() == [[2, 3, 0, 0], [2, 5, 2, 6], [4, 3, 1, 0], [1, 0, 0, 0], [1, 1, 1, 4]]
    short = encode(tmp_path / "t.csv", [0, 1, 2], text="note", vocabulary=5, length=2)
    assert short.inputs.tolist() == [[2, 3], [2, 5], [4, 3], [1, 0], [1, 1]]
