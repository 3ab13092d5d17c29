"""What a dataset returns is looked at before it is split."""

import pytest
import torch

from descent.assembly import load
from descent.data.preparation import prepared
from descent.data.source import Source
from descent.errors import DataError

DATASET = {
    "task": "classification",
    "samples": 10,
    "classes": 2,
    "val_fraction": 0.2,
    "val_split": "stratified",
    "test_fraction": 0.2,
    "split_seed": 0,
    "fraction": 1.0,
    "resize": None,
    "channels": None,
    "features": None,
    "scaling": "standard",
    "cache": "auto",
}


def given(task="classification", inputs=None, targets=None, outputs=2, **more):
    inputs = torch.zeros(10, 3) if inputs is None else inputs
    return Source("given", task, inputs, torch.arange(10) % 2 if targets is None else targets, outputs, **more)


def test_what_is_whole_is_split():
    data = prepared(given(), DATASET)
    assert (len(data.train), len(data.val), len(data.test)) == (6, 2, 2)


BROKEN = [
    (given(inputs=torch.zeros(9, 3)), {}, "9 samples and 10 targets"),
    (given(inputs=torch.zeros(0, 3), targets=torch.zeros(0).long()), {}, "there are no samples"),
    (given(targets=torch.arange(10)), {}, "sample 2 has class 2, and there are 0 to 1"),
    (given(targets=torch.arange(10) - 1), {}, "sample 0 has class -1"),
    (given(inputs=torch.full((10, 3), float("nan"))), {}, "no finite numbers"),
    (given("regression", targets=torch.full((10, 2), float("inf"))), {"task": "regression"}, "finite numbers"),
    (given(test=(torch.zeros(3, 3), torch.zeros(2).long())), {}, "3 samples and 2 targets"),
    (given(test=(torch.zeros(1, 3), torch.full((1,), 7))), {}, "sample 0 has class 7"),
    (given(), {"samples": 11}, "samples is stated as 11 and is 10; mend its YAML"),
    (given(), {"classes": 3}, "classes is stated as 3 and is 2"),
    (given(), {"task": "regression"}, "task is stated as regression and is classification"),
    (given(), {"test_samples": 5}, "test_samples is stated as 5 and is None"),
    (given(), {"val_fraction": 0.5, "test_fraction": 0.5}, "10 samples leave none to train on"),
]


@pytest.mark.parametrize(("source", "changes", "says"), BROKEN, ids=[says for _, _, says in BROKEN])
def test_what_is_broken_is_refused_in_a_line(source, changes, says):
    with pytest.raises(DataError) as refusal:
        prepared(source, {**DATASET, **changes})
    assert str(refusal.value).startswith("dataset given: ") and says in str(refusal.value)
    assert refusal.value.exit_code == 3


def test_the_knobs_reach_the_data(composed):
    data = load(composed("dataset.resize=4", "dataset.channels=3", "dataset.fraction=0.5", "dataset.val_split=last"))
    assert data.input_shape == (3, 4, 4) and len(data.train) == round(0.5 * 1437)
    whole = load(composed("dataset.val_fraction=0", "dataset.resize=4", "dataset.channels=3"))
    assert torch.equal(data.val.inputs, whole.train.inputs[-180:])
    assert data.classes == tuple("0123456789")


def test_a_table_of_fewer_columns(composed):
    whole, some = (load(composed("dataset=synthetic", *more)) for more in ([], ["dataset.features=[5,0]"]))
    assert torch.equal(some.train.inputs, whole.train.inputs[:, [5, 0]])


def test_an_experiment_takes_another_dataset(run_here, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    lines = ["# @package _global_", "defaults:", "  - override /dataset: iris", "dataset:", "  fraction: 0.5"]
    (tmp_path / "conf" / "experiment" / "irises.yaml").write_text("\n".join(lines))
    answer = run_here(["--config-dir", str(tmp_path / "conf"), "experiment=irises", "--cfg", "job"])
    assert answer.code == 0 and "descent.data.tables.iris" in answer.out
    assert "fraction: 0.5" in answer.out and "val_split: stratified" in answer.out


def test_a_dataset_without_the_common_knobs_is_told_how(run_here, tmp_path):
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    own = tmp_path / "conf" / "dataset" / "mine.yaml"
    own.write_text("_target_: descent.data.tables.iris\ntask: classification\nkind: table\n")
    command = ["--config-dir", str(own.parents[1]), "dataset=mine", "epochs=1", "tracking=none"]
    answer = run_here(command)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "begin with defaults: [/every_dataset@_here_, _self_]" in answer.err
    own.write_text("defaults: [/every_dataset@_here_, _self_]\n" + own.read_text())
    assert run_here(command).code == 0
