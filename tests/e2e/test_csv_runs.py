"""Runs on a table of the user's own: trained, recorded so that a later table can be encoded, or refused in one line."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from conftest import TRAIN
from descent.assembly import assemble
from descent.data.encoding import encode_table
from e2e.refusals import Bad, check, names

EXAMPLE = Path(__file__).parents[2] / "examples" / "orchard.csv"
FRUIT = ["dataset=csv", "dataset.path=orchard.csv", "dataset.target=fruit", "batch_size=8"]
TABLE = [*FRUIT, "dataset.ignore=[id,note]"]
PARTS = [("train", "training"), ("val", "validation"), ("test", "test")]
WORDS = [*FRUIT, "dataset.text=note", "model=lstm", "model.hidden=16"]


@pytest.fixture(autouse=True)
def orchard(tmp_path, monkeypatch):
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("settings", [TABLE, WORDS], ids=["table", "words"])
def test_a_run_leaves_what_encodes_a_later_table(run_here, composed, tmp_path, settings):
    answer = run_here([*settings, "epochs=2", "tracking=none", "hydra.run.dir=run"])
    assert answer.code == 0, answer.err
    encoding = json.loads((tmp_path / "run" / "encoding.json").read_text())
    assert encoding["classes"] == ["apple", "pear", "plum"]
    data = assemble(composed(*settings)).data
    later = encode_table(tmp_path / "orchard.csv", encoding)
    parts = torch.cat([data.train.inputs, data.val.inputs, data.test.inputs])
    assert later.shape == parts.shape
    assert sorted(later.tolist()) == sorted(parts.tolist())
    assert encoding.get("features", []) == list(data.columns)
    told = dict(re.findall(r"│ ([a-z ]+?) +│ (.+?) +│", answer.out))
    assert told["rows"] == ", ".join(f"{len(getattr(data, one))} {name}" for one, name in PARTS)
    if settings is WORDS:
        assert re.fullmatch(r"note, \d+ words, \d+ of a row read", told["text"])
    else:
        assert (told["numbers"], told["yes or no"], told["left out"]) == ("weight, length", "ripe", "id, note")
        assert re.fullmatch(r"colour \(\d\)", told["categories"])


def test_the_recorded_scaling_is_the_one_that_trained(run_here, composed, tmp_path):
    assert run_here([*TABLE, "epochs=1", "tracking=none", "hydra.run.dir=run"]).code == 0
    kept = json.loads((tmp_path / "run" / "encoding.json").read_text())["scaling"]
    inputs = assemble(composed(*TABLE)).data.train.inputs.double()
    deviation = inputs.std(0, correction=0)
    assert kept["mean"] == pytest.approx(inputs.mean(0).tolist(), rel=1e-6)
    assert kept["deviation"] == pytest.approx(torch.where(deviation > 0, deviation, 1.0).tolist(), rel=1e-6)


def test_the_file_is_found_again_from_any_directory(run_here, tmp_path, monkeypatch):
    """It is relative to where the run was started, and neither there nor under the project for whoever comes later."""
    monkeypatch.setenv("DESCENT_ROOT", str(tmp_path / "project"))
    there, elsewhere = tmp_path / "it's here, too", tmp_path / "elsewhere"
    for place in (there, elsewhere):
        place.mkdir()
    (tmp_path / "orchard.csv").rename(there / "orchard.csv")
    run = tmp_path / "run"
    first = run_here([*TABLE, "seeds=2", "epochs=1", "tracking=none", f"hydra.run.dir={run}"], place=there)
    assert first.code == 0, first.err
    for arguments, script in (
        ([f"run={run}/1"], TRAIN.with_name("evaluate.py")),
        ([f"resume={run}", "seeds=3"], TRAIN),
        ([f"resume={run}/0", "epochs=2"], TRAIN),
    ):
        answer = run_here(arguments, script, elsewhere)
        assert answer.code == 0, answer.err
    assert len(json.loads((run / "results.json").read_text())["repeats"]) == 3


def test_columns_are_chosen_before_they_are_encoded(composed):
    data = assemble(composed(*TABLE, "dataset.features=[colour,weight]")).data
    assert data.columns[0] == "colour=green"
    assert data.columns[-2:] == ("weight", "weight is missing")
    assert data.input_shape == (len(data.columns),)


def test_a_regression_on_a_table(run_here):
    settings = "dataset=csv dataset.path=orchard.csv dataset.target=id dataset.task=regression dataset.ignore=[note]"
    answer = run_here([*settings.split(), "epochs=1", "batch_size=8", "tracking=none"])
    assert answer.code == 0, answer.err


def test_words_learn_what_the_notes_tell(composed, tmp_path):
    from descent.trainer import build_trainer

    parts = assemble(composed(*WORDS, "lr=0.02", "epochs=6", "threads=1"))
    build_trainer(composed(*WORDS, "epochs=6"), [], [], tmp_path).fit(parts.engine)
    assert dict(parts.engine.history["val/accuracy"])[5] == 1.0


def test_a_path_may_be_relative_to_the_project(composed, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(assemble(composed(*TABLE)).data.train) == 48


@pytest.mark.slow
def test_a_tracked_run_of_words_can_be_taken_elsewhere(run_command, tmp_path):
    done = run_command([*WORDS, "epochs=2", "hydra.run.dir=run"])
    assert done.returncode == 0, done.stderr
    import mlflow
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    [run] = client.search_runs(["1"])
    encoding = json.loads(Path(client.download_artifacts(run.info.run_id, "encoding.json")).read_text())
    assert encoding == json.loads((tmp_path / "run" / "encoding.json").read_text())
    [logged] = client.search_logged_models(["1"])
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    assert model.metadata.signature.inputs.to_dict()[0]["tensor-spec"]["dtype"] == "int64"
    scores = model.predict(encode_table(tmp_path / "orchard.csv", encoding).numpy())
    assert scores.shape == (60, 3)


CSV = "dataset=csv dataset.path=orchard.csv dataset.target=fruit batch_size=8"
BAD = [
    Bad("dataset=csv dataset.target=fruit", "dataset.path", says="set dataset.path=…"),
    Bad("dataset=csv dataset.path=orchard.csv", "dataset.target", says="set dataset.target=…"),
    Bad(f"{CSV} dataset.task=regresion", "dataset.task", "regression"),
    Bad(f"{CSV} dataset.separator=comm", "dataset.separator", "comma"),
    Bad(f"{CSV} dataset.types={{colour:categry}}", "dataset.types.colour", "category"),
    Bad(f"{CSV} dataset.types=[colour]", "dataset.types"),
    Bad(f"{CSV} dataset.max_categories=1", "dataset.max_categories"),
    Bad(f"{CSV} dataset.rare=0", "dataset.rare"),
    Bad(f"{CSV} dataset.length=0 dataset.text=note model=lstm", "dataset.length"),
    Bad(f"{CSV} dataset.vocabulary=0", "dataset.vocabulary"),
    Bad(f"{CSV} dataset.ignor=[id]", "dataset.ignor", "dataset.ignore"),
    Bad(f"{CSV} dataset.kind=sequence", "dataset.kind", says="it follows from text"),
    Bad(f"{CSV} dataset.resize=8", "dataset.resize"),
    Bad(f"{CSV} model=cnn", "model"),
    Bad(f"{CSV} dataset.text=note", "dataset.text", says="use model=lstm"),
    Bad(f"{CSV} dataset.text=note model=linear", "dataset.text", says="use model=lstm"),
    Bad(f"{CSV} dataset.text=note dataset.features=[id] model=lstm", "dataset.features"),
    *(
        Bad(f"{CSV} dataset.text=note model=lstm regularization=[{item}]", "regularization", says=f"drop {item}")
        for item in ("mixup", "input_noise")
    ),
    # once the file is read
    Bad(f"{CSV} dataset.features=[colur]", "dataset.features", "colour"),
    Bad(f"{CSV} dataset.max_categories=3", "{root}/orchard.csv", says="column colour: 4 categories", code=3),
    Bad(f"{CSV} dataset.target=fruits", "{root}/orchard.csv", "fruit", code=3),
    Bad(f"{CSV} dataset.path=orchad.csv", "orchad.csv", says="no such file", code=3),
    Bad(f"{CSV} dataset.path=.", "{root}", says="a directory", code=3),
    Bad(f"{CSV} dataset.target=note dataset.task=regression", "{root}/orchard.csv", says="line 2: column note", code=3),
]


@pytest.mark.parametrize("case", BAD, ids=names(BAD))
def test_refused_in_one_line(run_here, tmp_path, case):
    answer = run_here(shlex.split(case.line))
    (tmp_path / "orchard.csv").unlink()
    key, said = case.key.format(root=tmp_path), answer.err.split(": ")[0]
    if said.startswith("…") and key.endswith(said[1:]):
        key = said  # a long path loses its beginning
    left = [str(path) for path in tmp_path.rglob("*")]
    check(case._replace(key=key), answer.code, answer.out, answer.err, left)
