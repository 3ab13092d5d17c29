"""Every YAML of conf/ composes, builds and trains two steps, alone and beside every other that it can meet."""

import math
import re
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml

from descent.assembly import assemble
from descent.contradictions import EXCLUSIVE, lookup
from descent.errors import UsageError
from descent.trainer import build_trainer
from reference import tiny_sets

CONF = Path(__file__).parents[2] / "conf"
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")
FILES = [file for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
EVERY_DATASET = CONF / "every_dataset.yaml"
CHOICES = {group: sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in GROUPS}
# Groups whose choices are tried in tables of their own, and those of a sweep, in tests/plugins.
ELSEWHERE = {"dataset", "experiment", "loss", "regularization", "tracking", "search", "pruner", "space", "sweep"}
SHORT = ["epochs=1", "batch_size=1000"]  # two steps on 1,437 samples
IMAGES = ["dataset=synthetic", "dataset.kind=image", "dataset.shape=[1,8,8]", "dataset.samples=60", "batch_size=24"]
SURFACE = ["dataset=synthetic", "dataset.task=regression", "dataset.shape=[2]", "dataset.classes=1",
           "dataset.samples=60", "batch_size=24", "loss=value"]  # fmt: skip


IN_FILES = tiny_sets.SETS
FEW = {"cifar10": 45, "cifar100": 9, "image_folder": 10}  # half the training samples of the files that are written

# What a dataset needs beside its name.
ORCHARD = [f"dataset.path={CONF.parent}/examples/orchard.csv", "dataset.target=fruit", "dataset.ignore=[id,note]"]
NEEDED = {"csv": ORCHARD}

# What the tables of pairs train of the larger models.
SMALLER = {
    "alexnet": ["model.channels=[4,8,8,8,8]", "model.hidden=[16]"],
    "resnet": ["model.channels=[4,8]"],
    "vgg": ["model.blocks=[[4,4],[8]]"],
    "lstm": ["model.hidden=8"],
    "torchvision": ["model.name=shufflenet_v2_x0_5"],
}


def label(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def override(group: str, *choices: str) -> str:
    return f"{group}=[{','.join(choices)}]" if group == "regularization" else f"{group}={choices[0]}"


def read(group: str, choice: str) -> dict:
    return yaml.safe_load((CONF / group / f"{choice}.yaml").read_text())


def shared_knobs(file: Path) -> set[str]:
    """Those of the files that it takes in."""
    taken = [one for one in yaml.safe_load(file.read_text()).get("defaults", []) if str(one)[0] == "/"]
    return {key for one in taken for key in yaml.safe_load((CONF / f"{one[1:-7]}.yaml").read_text())["allowed"]}


def unverified(dataset: str) -> list[str]:
    """Files that are not the published ones."""
    return ["dataset.verify=false"] if "verify" in read("dataset", dataset) else []


def small(model: str) -> list[str]:
    return [f"model={model}", *SMALLER.get(model, [])]


def data_for(model: str) -> list[str]:
    return SURFACE if model == "surface" else IMAGES


def lacks(model: str, regularization: str) -> str:
    """What the regularization requires of a model and this one does not take, or of its data and they are not."""
    condition = str(read("regularization", regularization).get("requires", ""))
    group, _, argument = condition.partition(".")
    if group == "dataset":
        return condition if model == "surface" else ""
    return f"a model that takes {argument}" if group == "model" and argument not in read("model", model) else ""


def pairs(*groups: str) -> list[tuple[str, str]]:
    return list(product(*(CHOICES[group] for group in groups)))


def trained(config, directory):
    """Two steps and a validation, with finite losses, that move the weights; the engine tells what came of them."""
    parts = assemble(config)
    before = [parameter.detach().clone() for parameter in parts.engine.model.parameters()]
    trainer = build_trainer(config, parts.callbacks, [], directory)
    trainer.fit(parts.engine)
    assert trainer.global_step == parts.engine.steps_done == parts.steps == 2
    assert all(math.isfinite(loss) for losses in parts.engine.losses for loss in losses)
    after = [parameter.detach() for parameter in parts.engine.model.parameters()]
    assert all(bool(parameter.isfinite().all()) for parameter in after)
    assert not all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    return parts.engine


def two_steps(optimizer: str, *overrides: str) -> list[str]:
    """Two epochs of one step for what cannot do without the full batch."""
    if optimizer != "gd":
        return [*overrides]
    return [*(one for one in overrides if not one.startswith(("batch_size=", "epochs="))), "epochs=2"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Ten times faster at this size, and other tests may run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# The files


@pytest.mark.parametrize("file", FILES, ids=label)
def test_a_file_begins_with_what_it_is(file):
    first, second, *_ = file.read_text().splitlines()
    said = second if first.startswith("# @package") else first
    assert re.match(r"# \S", said), said


@pytest.mark.parametrize(
    "file", [EVERY_DATASET, *(file for file in FILES if file.parent.name not in ("experiment", "space"))], ids=label
)
def test_every_knob_has_its_rule_beside_it(file):
    node = yaml.safe_load(file.read_text())
    node = node["optimizer"] if file.parent.name == "optimizer" else node
    knobs = {key for key in node if not key.startswith("_")} - {"allowed", "requires", "defaults", "space"}
    assert set(node.get("allowed", {})) | shared_knobs(file) >= knobs
    assert set(node.get("allowed", {})) <= knobs


@pytest.mark.parametrize("file", sorted(CONF.glob("every_*.yaml")), ids=label)
def test_every_shared_knob_has_its_rule_beside_it(file):
    test_every_knob_has_its_rule_beside_it(file)


def test_every_root_knob_has_its_rule():
    root = yaml.safe_load((CONF / "config.yaml").read_text())
    nodes = {"loader", "checkpoint"}
    assert set(root["allowed"]) == set(root) - {"defaults", "hydra", "allowed"} - nodes
    for node in nodes:
        assert set(root[node]["allowed"]) == set(root[node]) - {"allowed"}


@pytest.mark.parametrize("file", sorted((CONF / "experiment").glob("*.yaml")), ids=label)
def test_an_experiment_begins_with_its_command(file):
    first, second, *_ = file.read_text().splitlines()
    assert first == "# @package _global_"
    assert second.startswith("# python src/") and f"experiment={file.stem}" in second


# Every choice, alone


@pytest.mark.parametrize("group", sorted(set(GROUPS) - ELSEWHERE))
def test_every_choice_trains(composed, tmp_path, group):
    for choice in CHOICES[group]:
        own = SURFACE if choice == "surface" else []
        config = composed(override(group, choice), *two_steps(choice, *SHORT), *own)
        assert config.choices.get(group, choice) in (choice, "cross_entropy")
        trained(config, tmp_path)


@pytest.mark.parametrize(
    ("dataset", "overrides"),
    [
        ("digits", SHORT),
        ("synthetic", ["epochs=1", "batch_size=500"]),
        ("synthetic", ["dataset.task=regression", "dataset.classes=3", "epochs=1", "batch_size=500"]),
        ("synthetic", [*IMAGES[1:], "model=cnn", "epochs=1"]),
        ("breast_cancer", ["epochs=1", "batch_size=300"]),
        ("wine", ["epochs=1", "batch_size=100"]),
        ("iris", ["epochs=1", "batch_size=100"]),
        ("diabetes", ["epochs=1", "batch_size=300"]),
        ("two_moons", ["epochs=1", "batch_size=500"]),
        ("spirals", ["epochs=1", "batch_size=500", "dataset.classes=5"]),
        ("sequences", ["epochs=1", "batch_size=1000", "model=lstm", "model.hidden=8"]),
        ("sequences", ["epochs=1", "batch_size=1000"]),
        ("iris", ["epochs=1", "batch_size=100", "model=lstm", "model.hidden=8"]),
        ("digits", [*SHORT, "model=lstm", "model.hidden=8"]),
        *((dataset, [*unverified(dataset), "epochs=1", f"batch_size={FEW.get(dataset, 18)}"]) for dataset in IN_FILES),
        ("csv", [*ORCHARD, "batch_size=24", "epochs=1"]),
        ("csv", [*ORCHARD, "dataset.text=note", "model=lstm", "batch_size=24", "epochs=1"]),
    ],
)
def test_every_dataset_trains(composed, tmp_path, dataset, overrides):
    if dataset in IN_FILES:
        tiny_sets.write(dataset, tmp_path)
    trained(composed(f"dataset={dataset}", *overrides), tmp_path)


def test_the_datasets_above_are_all():
    trained_above = [mark.args[1] for mark in test_every_dataset_trains.pytestmark if mark.name == "parametrize"]
    assert {dataset for dataset, _ in trained_above[0]} == set(CHOICES["dataset"])


@pytest.mark.parametrize("choice", CHOICES["tracking"])
def test_every_tracking_composes(composed, choice):
    overrides = ["tracking.uri=http://127.0.0.1:1"] if choice == "server" else []
    assert composed(f"tracking={choice}", *overrides).tracking.kind == choice


# Every choice beside every other: trains, or is refused with its key


@pytest.mark.parametrize(("model", "optimizer"), pairs("model", "optimizer"))
def test_every_model_under_every_optimizer(composed, tmp_path, model, optimizer):
    shape = two_steps(optimizer, *data_for(model), "epochs=1")
    engine = trained(composed(*small(model), f"optimizer={optimizer}", *shape), tmp_path)
    assert engine.history["train/lr"][0][1] == composed(f"optimizer={optimizer}").lr


@pytest.mark.parametrize(("scheduler", "optimizer"), pairs("scheduler", "optimizer"))
def test_every_scheduler_on_every_optimizer(composed, scheduler, optimizer):
    def compose():
        return composed(f"scheduler={scheduler}", f"optimizer={optimizer}", "dataset=synthetic")

    if optimizer == "rprop" and scheduler != "constant":
        with pytest.raises(UsageError, match=r"^scheduler: got .*, allowed constant with optimizer=rprop"):
            compose()
        return
    parts = assemble(compose())
    made = parts.engine.configure_optimizers()
    assert made.param_groups[0]["lr"] > 0
    assert parts.engine.recipe.schedule.factor(0, 10) == pytest.approx(0.04 if scheduler == "one_cycle" else 1)


@pytest.mark.parametrize(("regularization", "model"), pairs("regularization", "model"))
def test_every_regularization_of_every_model(composed, tmp_path, regularization, model):
    def compose():
        return composed(override("regularization", regularization), *small(model), *data_for(model), "epochs=1")

    if missing := lacks(model, regularization):
        with pytest.raises(UsageError, match=f"^regularization: got {regularization}, allowed with {missing}"):
            compose()
    else:
        assert compose().choices["regularization"] == regularization
        trained(compose(), tmp_path)


@pytest.mark.parametrize(("item", "layer"), [("dropout", "Dropout(p=0.2"), ("batch_norm", "BatchNorm")])
def test_regularization_reaches_the_model(composed, item, layer):
    takers = [model for model in CHOICES["model"] if not lacks(model, item)]
    assert {"mlp", "cnn", "vgg", "alexnet", "resnet"} <= set(takers)
    for model in takers:
        plain = str(assemble(composed(*small(model), *IMAGES)).engine.model)
        built = str(assemble(composed(*small(model), f"regularization=[{item}]", *IMAGES)).engine.model)
        assert (layer in plain) == ((model, item) == ("resnet", "batch_norm"))  # which has one anyway
        assert layer in built


@pytest.mark.parametrize("without", [{"none", "swa", "layer_norm"}, {"none", "ema", "batch_norm"}])
def test_all_regularizations_go_together(composed, tmp_path, without):
    items = [item for item in CHOICES["regularization"] if item not in without]
    config = composed(override("regularization", *items), *small("resnet"), *IMAGES, "epochs=1")
    assert config.choices["regularization"] == "+".join(sorted(items))
    trained(config, tmp_path)


def test_what_overrules_another_is_refused(composed):
    for one, other, matter in EXCLUSIVE:
        with pytest.raises(UsageError, match=rf"^regularization: .* both decide {matter}: leave out one$"):
            composed(override("regularization", one, other))
    for item in set(CHOICES["regularization"]) - {"none", "stochastic_depth"}:
        with pytest.raises(UsageError, match=r"^regularization: .*leave out none"):
            composed(override("regularization", "none", item))


LOSSES = {"bce": "classification", "cross_entropy": "classification", "focal": "classification", "huber": "regression",
          "kl": "classification", "mae": "regression"}  # fmt: skip


@pytest.mark.parametrize(("loss", "task"), list(product(CHOICES["loss"], ["classification", "regression"])))
def test_every_loss_on_every_task(composed, tmp_path, loss, task):
    def compose():
        return composed(f"loss={loss}", "dataset=synthetic", f"dataset.task={task}", "batch_size=500", "epochs=1")

    if loss == "value":
        with pytest.raises(UsageError, match=r"^loss: got value, allowed with a model that takes surface"):
            compose()
    elif LOSSES.get(loss, task) != task:
        with pytest.raises(UsageError, match=rf"^loss: got {loss}, allowed with dataset.task="):
            compose()
    else:
        trained(compose(), tmp_path)


@pytest.mark.parametrize(("model", "dataset"), [pair for pair in pairs("model", "dataset") if pair[1] not in IN_FILES])
def test_every_model_on_every_dataset(composed, tmp_path, model, dataset):
    def compose():
        return composed(f"model={model}", f"dataset={dataset}", "batch_size=full", "epochs=1", *NEEDED.get(dataset, []))

    is_image = read("dataset", dataset)["kind"] == "image"
    if read("model", model).get("requires") == "dataset.kind=image" and not is_image:
        with pytest.raises(UsageError, match=f"^model: got {model}, allowed with dataset.kind=image"):
            compose()
    elif model == "surface" and read("dataset", dataset)["task"] != "regression":
        with pytest.raises(UsageError, match=r"^model: got surface, allowed with dataset.task=regression"):
            compose()
    else:
        assert assemble(compose()).engine.model


@pytest.mark.parametrize("norm", [["model=resnet", "model.channels=[2,2,2,2]"], ["regularization=[batch_norm]"]])
def test_a_minibatch_of_one_cannot_be_normalised_where_a_channel_is_one_value(composed, norm):
    for size, refused in (("4", True), ("5", False)):  # 1,437 samples leave one, or two
        config = composed(*norm, f"batch_size={size}")
        if refused:
            with pytest.raises(UsageError, match=r"^batch_size: got 4, allowed a size that leaves no minibatch of one"):
                assemble(config)
        else:
            assert assemble(config).engine.model
    assert assemble(composed("model=resnet", "model.channels=[2,2]", "batch_size=4")).engine.model  # of 4x4 pixels


# Defaults


@pytest.mark.parametrize("optimizer", CHOICES["optimizer"])
def test_an_optimizer_brings_its_own_learning_rate(composed, optimizer):
    own = yaml.safe_load((CONF / "optimizer" / f"{optimizer}.yaml").read_text())["lr"]
    assert composed(f"optimizer={optimizer}").lr == own
    config = composed(f"optimizer={optimizer}", "lr=0.25")
    assert (config.lr, lookup(config.settings, "optimizer.lr")) == (0.25, 0.25)
