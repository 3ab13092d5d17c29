"""`python src/prepare.py`: a cache that training uses while it is what was prepared."""

import json
import shutil

import pytest

from descent.data.manifest import fault
from e2e.refusals import PROJECT, Bad, check

PREPARE = PROJECT / "src" / "prepare.py"
TRAIN = ["tracking=none", "epochs=2", "threads=1", "trainer.enable_progress_bar=false"]
IRIS = ["dataset=iris", "batch_size=64"]


def manifests(root):
    return sorted((root / "data" / "prepared").rglob("manifest.json"))


def digest(run_here, root, *more):
    """Of the weights that a training comes to."""
    answer = run_here([*TRAIN, "hydra.run.dir=run", *more])
    assert answer.code == 0, answer.err
    found = json.loads((root / "run" / "results.json").read_text())["weights_sha256"]
    shutil.rmtree(root / "run")
    return found


def test_it_prepares_once_and_says_so(run_here, tmp_path):
    first = run_here(["dataset=iris"], PREPARE)
    [manifest] = manifests(tmp_path)
    written = manifest.stat().st_mtime_ns
    second = run_here(["dataset=iris"], PREPARE)
    assert (first.code, second.code, first.err, second.err) == (0, 0, "", "")
    assert "iris: prepared" in first.out and "iris: current" in second.out
    assert manifest.stat().st_mtime_ns == written
    told = json.loads(manifest.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["data"], "no run, no store"
    for word in ("120", "15", "float32", "setosa: 40", told["digest"], str(manifest.parent)):
        assert word in first.out.replace("\n", " ")


def test_training_on_it_comes_to_the_same_bits(run_here, tmp_path):
    knobs = ["dataset.resize=6", "dataset.fraction=0.3"]
    plain = digest(run_here, tmp_path, *knobs)
    assert run_here(knobs, PREPARE).code == 0
    [manifest] = manifests(tmp_path)
    for more in ([], ["loader.stream=true"], ["loader.stream=true", "loader.workers=2"]):
        assert digest(run_here, tmp_path, *knobs, *more) == plain
    manifest.write_text("")
    assert digest(run_here, tmp_path, *knobs, "dataset.cache=null") == plain
    assert digest(run_here, tmp_path, "dataset.resize=6") != plain, "other settings have another place"
    refused(run_here, tmp_path, knobs, manifest, "cannot be read: JSONDecodeError")
    assert "prepared" in run_here(knobs, PREPARE).out
    assert digest(run_here, tmp_path, *knobs) == plain


def refused(run_here, root, overrides, file, what):
    """A training is answered that in one line, with the file's name and what to do, and leaves nothing."""
    before = set(root.iterdir())
    answer = run_here([*TRAIN, *overrides])
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == f"{fault(file, what)}\n"
    assert "python src/prepare.py makes it anew" in answer.err
    assert set(root.iterdir()) == before


def test_a_folder_of_ones_own(run_here, tmp_path):
    own = [*IRIS, "dataset.cache=mine/iris"]
    place = tmp_path / "mine" / "iris"
    refused(run_here, tmp_path, own, place, "is not there")
    plain = digest(run_here, tmp_path, *IRIS)
    assert run_here(own, PREPARE).code == 0
    assert digest(run_here, tmp_path, *own) == plain
    said = "was made with split_seed=0, and this is split_seed=1"
    refused(run_here, tmp_path, [*own, "dataset.split_seed=1"], place / "manifest.json", said)
    assert digest(run_here, tmp_path, *own, "dataset.scaling=unit") != plain, "which is not stored"


def test_every_fold_has_its_own(run_here, tmp_path):
    assert run_here([*IRIS, "folds=3"], PREPARE).code == 0
    assert sorted(json.loads(file.read_text())["settings"]["fold"] for file in manifests(tmp_path)) == [0, 1, 2]
    plain = digest(run_here, tmp_path, *IRIS, "folds=3", "fold=1", "dataset.cache=null")
    assert digest(run_here, tmp_path, *IRIS, "folds=3", "fold=1") == plain


@pytest.mark.parametrize(
    "case",
    [
        Bad("datset=iris", "datset", "dataset"),
        Bad("dataset=irsi", "dataset", "iris"),
        Bad("dataset.fraction=0", "dataset.fraction"),
        Bad("dataset=iris dataset.features=[petal_lenth]", "dataset.features", "petal_length"),
        Bad("dataset=iris dataset.cache=null", "dataset.cache", says="auto or a folder"),
        Bad("dataset=iris dataset.cache=", "dataset.cache", says="got ''"),
        Bad("dataset=iris dataset.cache=[a]", "dataset.cache"),
        Bad("dataset=iris dry_run=true", "dry_run", says="what is prepared is written"),
        Bad("dataset=iris dataset.cache=mine folds=3", "folds", says="fold=…"),
        Bad("-m dataset=iris,wine", "-m", says="allowed key=value"),
        Bad("dataset=iris,wine", "dataset", says="-m runs each"),
        Bad("lr", "lr", says="got no value"),
    ],
    ids=lambda case: case.line,
)
def test_a_wrong_command_is_answered_in_a_line(run_here, tmp_path, case):
    answer = run_here(case.line.split(), PREPARE)
    check(case, answer.code, answer.out, answer.err, [path.name for path in tmp_path.iterdir()])


def test_it_replaces_nothing_but_caches(run_here, tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "one.png").write_text("")
    answer = run_here(["dataset=iris", "dataset.cache=photographs"], PREPARE)
    assert answer.code == 2 and answer.err.startswith("dataset.cache: got ")
    assert [path.name for path in (tmp_path / "photographs").iterdir()] == ["one.png"]


def test_a_place_that_cannot_be_written(run_here, tmp_path):
    (tmp_path / "file").write_text("")
    answer = run_here(["dataset=iris", "dataset.cache=file/iris"], PREPARE)
    assert answer.code == 4
    assert answer.err.strip().endswith("free or choose another place with dataset.cache=…")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_that_have_changed_since_are_noticed(run_here, tmp_path):
    table = tmp_path / "orchard.csv"
    shutil.copy(PROJECT / "examples" / "orchard.csv", table)
    how = [
        "dataset=csv",
        "dataset.path=orchard.csv",
        "dataset.target=fruit",
        "dataset.ignore=[id,note]",
        "batch_size=8",
    ]
    plain = digest(run_here, tmp_path, *how)
    assert run_here(how, PREPARE).code == 0
    assert digest(run_here, tmp_path, *how) == plain
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]) + "\n")
    [manifest] = manifests(tmp_path)
    refused(run_here, tmp_path, how, manifest, "was made from files that have changed since")
    assert "prepared" in run_here(how, PREPARE).out
    assert digest(run_here, tmp_path, *how) != plain


def test_what_an_encoding_needs_is_kept(run_here, tmp_path):
    how = ["dataset=csv", f"dataset.path={PROJECT}/examples/orchard.csv", "dataset.target=fruit", "dataset.text=note"]
    how += ["model=lstm", "model.hidden=4", "batch_size=8"]
    found = []
    for prepared in (False, True):
        if prepared:
            assert run_here(how, PREPARE).code == 0
        assert run_here([*TRAIN, "hydra.run.dir=run", *how]).code == 0
        found.append((tmp_path / "run" / "encoding.json").read_bytes())
        shutil.rmtree(tmp_path / "run")
    assert found[0] == found[1]


def test_help_is_its_docstring(run_here):
    answer = run_here(["--help"], PREPARE)
    assert answer.code == 0 and answer.out.startswith("Prepare a dataset once")
