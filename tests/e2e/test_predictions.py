"""`python src/evaluate.py run=… predict=…`: new samples in tables, arrays and folders of images."""

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, mean_absolute_error

from e2e.evaluated import EVALUATE, data_of, report_of, rows_of, trained


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("project"), "better", "table", "binary", "numbers", "named", "people")


@pytest.fixture
def evaluate(project, run_here, monkeypatch):
    def run(*words):
        monkeypatch.setenv("DESCENT_ROOT", str(project))
        return run_here(list(words), EVALUATE)

    return run


# Tables of numbers


@pytest.fixture
def table(tmp_path):
    def write(header, rows):
        lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
        (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
        return f"predict={tmp_path}/new.csv"

    return write


HEADER = [f"c{at}" for at in range(6)]


@pytest.mark.parametrize("name", ["table", "binary", "numbers"])
def test_a_table_is_predicted_row_by_row(name, table, evaluate, project, tmp_path):
    data = data_of(name)
    word = table(HEADER, data.test.inputs.double().tolist())
    assert evaluate(f"run={name}", word, f"out={tmp_path}/out.csv").code == 0
    rows = rows_of(tmp_path / "out.csv")
    assert len(rows) == 20 and list(tmp_path.glob("*.part")) == []
    evaluate(f"run={name}")
    metrics = report_of(project, name)["metrics"]
    if name == "numbers":
        got = [[float(row[f"predicted_{at}"]) for at in range(2)] for row in rows]
        assert mean_absolute_error(data.test.targets, got) == pytest.approx(metrics["mae"], rel=1e-5)
    else:
        assert sum(float(value) for key, value in rows[0].items() if key.startswith("p_")) == pytest.approx(1)
        guesses = [int(row["predicted"]) for row in rows]
        assert accuracy_score(data.test.targets, guesses) == pytest.approx(metrics["accuracy"])


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (HEADER, [[1, 2, 3, 4, 5, 6], [1, 2, "x", 4, 5, 6]], "line 3: column c2: x is no number"),
        (HEADER, [[1, 2, 3, 4, 5, ""]], "line 2: column c5: nothing is no number"),
        (HEADER, [[1, 2, 3, 4, 5, "inf"]], "line 2: column c5: inf is not finite"),
        (HEADER, [[1, 2, 3]], "line 2: 3 values, but the header has 6"),
        (HEADER[:5], [[1, 2, 3, 4, 5]], "line 1: 5 columns, allowed the 6 features of this run"),
        (HEADER, [], "a header and no row"),
    ],
)
def test_a_bad_table_is_told_with_its_line(header, rows, says, table, evaluate, tmp_path):
    answer = evaluate("run=table", table(header, rows), f"out={tmp_path}/out.csv")
    assert answer.code == 3 and says in answer.err and len(answer.err.splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((3, 5)), "shape [3,5], allowed [rows,6]"),
        (np.zeros((0, 6)), "shape [0,6], allowed [rows,6]"),
        (np.array([[0] * 6, [1, np.nan, 1, 1, 1, 1]]), "row 2: a value that is not finite"),
        (np.full((2, 6), "a"), "<U1, allowed numbers"),
        (np.array([[None] * 6]), "no array that can be read (ValueError)"),
    ],
)
def test_a_bad_array_is_told(values, says, evaluate, tmp_path):
    np.save(tmp_path / "new.npy", values)
    answer = evaluate("run=table", f"predict={tmp_path}/new.npy", f"out={tmp_path}/out.csv")
    assert answer.code == 3 and says in answer.err and len(answer.err.splitlines()) == 1


def test_columns_are_found_by_their_names(table, evaluate, tmp_path):
    data = data_of("named")
    order = np.random.default_rng(0).permutation(len(data.columns))
    header = [f'"{data.columns[at]}"' for at in order]
    word = table(["note", *header], [["x", *row] for row in data.test.inputs.double()[:, order].tolist()])
    np.save(tmp_path / "new.npy", data.test.inputs.numpy())
    assert evaluate("run=named", word, f"out={tmp_path}/table.csv").code == 0
    assert evaluate("run=named", f"predict={tmp_path}/new.npy", f"out={tmp_path}/array.csv").code == 0
    assert (tmp_path / "table.csv").read_text() == (tmp_path / "array.csv").read_text()
    assert list(rows_of(tmp_path / "table.csv")[0]) == ["row", "predicted", *(f"p_{one}" for one in data.classes)]


def test_a_table_from_a_file_is_encoded_as_that_one_was(evaluate, project, tmp_path):
    """Of all rows of the training's own file as many are right as of its three parts together."""
    right = 0
    for split in ("train", "val", "test"):
        assert evaluate("run=people", f"split={split}").code == 0
        report = report_of(project, "people", split)
        right += round(report["metrics"]["accuracy"] * report["samples"])
    answer = evaluate("run=people", f"predict={project}/people.csv", f"out={tmp_path}/out.csv")
    assert answer.code == 0, answer.err
    truth = [row["class"] for row in rows_of(project / "people.csv")]
    got = [row["predicted"] for row in rows_of(tmp_path / "out.csv")]
    assert len(got) == 150 and sum(one == other for one, other in zip(truth, got, strict=True)) == right


def test_a_row_that_cannot_be_encoded_is_told_with_its_line(evaluate, project, tmp_path):
    (tmp_path / "new.csv").write_text("town,age\nOslo,30\nRome,many\n")
    answer = evaluate("run=people", f"predict={tmp_path}/new.csv", f"out={tmp_path}/out.csv")
    assert answer.code == 3 and "new.csv: line 3: column age: many is no number" in answer.err


def test_data_that_has_changed_is_refused(evaluate, project, tmp_path):
    file = project / "people.csv"
    before = file.read_text()
    try:
        file.write_text(before.replace("Oslo", "Rome", 1))
        answer = evaluate("run=people")
    finally:
        file.write_text(before)
    assert answer.code == 3 and answer.err.startswith("csv: the data has changed since this run was trained: ")


def test_a_column_that_is_not_there_is_named(table, evaluate, tmp_path):
    data = data_of("named")
    names = [f"{name}x" if at == 3 else name for at, name in enumerate(data.columns)]
    answer = evaluate("run=named", table(names, data.test.inputs.tolist()), f"out={tmp_path}/out.csv")
    assert answer.code == 3 and f"no column {data.columns[3]}; did you mean {names[3]}?" in answer.err


# Images


def test_a_folder_of_images_is_predicted_as_the_arrays_are(evaluate, tmp_path):
    """The test split of digits as large PNG files in colour, in folders: they come back to 8x8, grey, 0 to 16."""
    images = data_of("better").test.inputs[:30, 0].numpy()
    for at, image in enumerate(images):
        folder = tmp_path / "new" / f"part{at % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        large = np.kron(np.round(image * (255 / 16)).astype(np.uint8), np.ones((4, 4), np.uint8))
        Image.fromarray(large).convert("RGB").save(folder / f"{at:02}.png")
    (tmp_path / "new" / "notes.txt").write_text("no picture")
    np.save(tmp_path / "new.npy", images[:, None])
    assert evaluate("run=better", f"predict={tmp_path}/new", f"out={tmp_path}/files.csv").code == 0
    assert evaluate("run=better", f"predict={tmp_path}/new.npy", f"out={tmp_path}/array.csv").code == 0
    by_array, by_file = rows_of(tmp_path / "array.csv"), rows_of(tmp_path / "files.csv")
    order = [*range(0, 30, 2), *range(1, 30, 2)]
    assert [row["file"] for row in by_file] == [f"part{at % 2}/{at:02}.png" for at in order]
    agreed = sum(row["predicted"] == by_array[at]["predicted"] for row, at in zip(by_file, order, strict=True))
    assert agreed >= 28  # antialiasing mixes neighbours a little


def test_bad_folders_are_told_with_the_file(evaluate, tmp_path):
    (tmp_path / "new").mkdir()
    answer = evaluate("run=better", f"predict={tmp_path}/new", f"out={tmp_path}/out.csv")
    assert answer.code == 3 and "new: no picture in it; allowed .bmp" in answer.err
    (tmp_path / "new" / "a.png").write_bytes(b"no image")
    answer = evaluate("run=better", f"predict={tmp_path}/new", f"out={tmp_path}/out.csv")
    assert answer.code == 3 and "a.png: no PNG image" in answer.err
    answer = evaluate("run=table", f"predict={tmp_path}/new", f"out={tmp_path}/out.csv")
    assert answer.code == 3 and "new: a folder; this run was trained on torch.float32 of shape [6]" in answer.err
    assert not (tmp_path / "out.csv").exists()
