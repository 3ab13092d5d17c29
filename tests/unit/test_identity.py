"""What makes two commands the same training, and how a difference is said."""

import hashlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from descent import identity
from descent.identity import Identity, differences, identity_of, warnings

BASE = ("dataset=digits", "model=mlp")


@pytest.fixture
def of(composed):
    def make(*overrides: str) -> Identity:
        return identity_of(composed(*overrides), "data")

    return make


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "tags={arm:a}",
        "tracking=none",
        "tracking.steps=true",
        "resume=never",
        "checkpoint.seconds=1",
        "checkpoint.every=7",
        "loader.chunk=3",
        "trainer.enable_progress_bar=false",
        "dry_run=true",
        "epochs=21",  # more of them extend
    ],
)
def test_what_changes_no_result_is_no_difference(of, override):
    assert differences(of(), of(override)) == []


def test_epochs_that_another_setting_follows_are_no_difference(of):
    assert differences(of("regularization=[swa]"), of("regularization=[swa]", "epochs=21")) == []


def test_loader_processes_are_no_difference(of):
    stream = "loader.stream=true"
    assert differences(of(stream), of(stream, "loader.workers=2")) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], ["lr=0.1"], ["lr 0.001 → 0.1"]),
        ([], ["weight_decay=0.5", "lr=0.1"], ["lr 0.001 → 0.1", "weight_decay 0.0 → 0.5"]),
        ([], ["seed=1"], ["seed 0 → 1"]),
        ([], ["threads=2"], ["threads auto → 2"]),
        ([], ["batch_size=full"], ["batch_size 32 → full"]),
        ([], ["model.hidden=[8,4]"], ["model.hidden [256,128] → [8,4]"]),
        ([], ["model=cnn"], ["model MLP → CNN"]),
        ([], ["optimizer=sgd"], ["lr 0.001 → 0.1", "optimizer Adam → SGD"]),
        ([], ["regularization=[l2]"], ["regularization.l2 none → L2"]),
        (["regularization=[l2]"], [], ["regularization.l2 L2 → none"]),
        ([], ["epochs=10"], ["epochs 20 → 10"]),
        ([], ["+trainer.max_time=null"], ["trainer.max_time none → null"]),
        ([], ["loader.drop_last=true"], ["loader.drop_last false → true"]),
    ],
)
def test_a_difference_is_said_for_people(of, before, after, said):
    assert differences(of(*before), of(*after)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": {"engine.py": "x", "tasks/losses.py": "y"}}, ["code: engine.py, losses.py"]),
        ({"code": {"engine.py": "1"}}, ["code: losses.py"]),
        ({"data": "other"}, ["data"]),
        ({"data": "other", "code": {}}, ["code: engine.py, losses.py", "data"]),
        ({"torch": "9", "device": "cuda"}, []),
    ],
)
def test_code_and_data_count_and_the_machine_does_not(changes, said):
    base = Identity({}, 20, {"engine.py": "1", "tasks/losses.py": "2"}, "data", "2", "cpu")
    assert differences(base, replace(base, **changes)) == said


def test_the_machine_is_warned_about():
    base = Identity({}, 20, {}, "data", "2.11", "cpu")
    assert warnings(base, replace(base, torch="2.12", device="cuda")) == ["torch 2.11 → 2.12", "device cpu → cuda"]
    assert warnings(base, base) == []


def test_it_is_the_same_after_a_file(of):
    one = of("regularization=[dropout,l2]", "scheduler=plateau")
    again = Identity(**json.loads(json.dumps(asdict(one))))
    assert again == one


def test_the_code_that_trains_counts():
    code = identity.package_code()
    engine = Path(identity.__file__).with_name("engine.py")
    assert code["engine.py"] == hashlib.sha256(engine.read_bytes()).hexdigest()
    assert {"assembly.py", "data/split.py", "models/mlp.py", "optim/schedules.py", "outcome.py"} <= code.keys()
    assert not {"door.py", "resuming.py", "report.py"} & code.keys()
    assert not any(name.startswith("tracking/") for name in code)


def test_what_is_left_out_exists():
    """A file that was renamed would begin to count, or an entry would say nothing."""
    package = Path(identity.__file__).parent
    assert [name for name in identity.NO_PART if not (package / name).exists()] == []


def test_the_users_own_code_counts(tmp_path, monkeypatch, of):
    (tmp_path / "my_networks.py").write_text("from descent.models.mlp import MLP as Mine\nclass My(Mine): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    before = of("model._target_=my_networks.My")
    assert (
        before.code["my_networks/my_networks.py"]
        == hashlib.sha256((tmp_path / "my_networks.py").read_bytes()).hexdigest()
    )
    (tmp_path / "my_networks.py").write_text((tmp_path / "my_networks.py").read_text() + "x = 1\n")
    assert differences(before, of("model._target_=my_networks.My")) == ["code: my_networks.py"]


def test_callbacks_of_the_users_count(composed):
    config = composed("trainer.callbacks=[{_target_: json.JSONEncoder}]")
    assert list(identity.custom_code(config.settings)) == ["json/encoder.py"]


def test_a_target_without_source_is_left_out():
    assert identity.custom_code({"model": {"_target_": "builtins.dict"}}) == {}


def test_a_secret_is_not_kept(of):
    kept = of("+trainer.api_key=hunter22x")
    assert "hunter22x" not in json.dumps(asdict(kept))
