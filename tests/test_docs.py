"""What the documents say is run: every command, every file they name, every number of a worked example."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from reference.repository import Repository
from reference.stored import add, opened, stocked

PROJECT = Path(__file__).parents[1]
DOCUMENTS = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((PROJECT / "docs").glob("*.md"))
TEXT = {path.relative_to(PROJECT).as_posix(): path.read_text() for path in DOCUMENTS}
BLOCKS = [(name, block) for name, text in TEXT.items() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)]
COMMANDS = sorted({line.strip() for _, block in BLOCKS for line in block.splitlines() if line.strip()})
TRAINING = [command for command in COMMANDS if command.startswith("python src/train.py")]
PREPARING = [command for command in COMMANDS if command.startswith("python src/prepare.py")]
READING = [command for command in COMMANDS if re.match(r"python src/(evaluate|diagnose|prune)\.py", command)]
COMPARING = [command for command in COMMANDS if command.startswith("python src/compare.py runs=")]
GROUPING = [command for command in COMMANDS if command.startswith("python src/compare.py by=")]
REPRODUCING = [command for command in COMMANDS if command.startswith("python src/reproduce.py")]
TARGETS = sorted({target for text in TEXT.values() for target in re.findall(r"`?make ([a-z-]+)", text)})
LINKS = sorted({(name, link) for name, text in TEXT.items() for link in re.findall(r"\]\(([^)#:]+)\)", text)})


def test_every_command_is_of_a_kind_that_is_run_here():
    known = (*TRAINING, *PREPARING, *READING, *COMPARING, *GROUPING, *REPRODUCING)
    others = [command for command in COMMANDS if command not in known and not command.startswith("make ")]
    assert others == []


@pytest.mark.parametrize("command", TRAINING)
def test_training_commands_work(command, run_here, tmp_path):
    stocked(tmp_path)
    answer = run_here(shlex.split(command)[2:])
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("command", PREPARING)
def test_preparing_commands_work(command, run_here):
    answer = run_here(shlex.split(command)[2:], PROJECT / "src" / "prepare.py")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("command", READING)
def test_commands_about_runs_work(command, run_here, tmp_path):
    np.save(tmp_path / "new.npy", np.zeros((3, 1, 8, 8), np.uint8))
    assert run_here(["epochs=1", "tracking=none"]).code == 0
    answer = run_here(shlex.split(command)[2:], PROJECT / shlex.split(command)[1])
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("command", COMPARING)
def test_comparing_commands_work(command, run_here):
    for seed in (0, 1):
        assert run_here(["epochs=1", "tracking=none", f"seed={seed}", f"name=seed{seed}"]).code == 0
    answer = run_here(shlex.split(command)[2:], PROJECT / "src" / "compare.py")
    assert answer.code == 0, answer.err


@pytest.fixture(scope="module")
def two_optimizers(tmp_path_factory):
    """A store with what the commands that compare name."""
    root = stocked(tmp_path_factory.mktemp("compared"))
    store = opened(root)
    parent = {"mlflow.parentRunId": add(store, {}, tags={"role": "study"}, name="search")}
    for seed in range(5):
        for optimizer, ahead in (("adam", 0.02), ("sgd", 0.0)):
            value, tags = 0.95 + ahead + seed / 1000, {"arm": optimizer, **parent}
            add(store, {"test/accuracy": value}, tags=tags, optimizer=optimizer, seed=seed, curve=[0.9, value])
    return root


@pytest.mark.parametrize("command", GROUPING)
def test_grouping_commands_work(command, run_here, two_optimizers, monkeypatch):
    monkeypatch.setenv("DESCENT_ROOT", str(two_optimizers))
    answer = run_here(shlex.split(command)[2:], PROJECT / "src" / "compare.py")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("command", REPRODUCING)
def test_reproducing_commands_work(command, tmp_path):
    repository = Repository(tmp_path)
    assert repository.run("train", "epochs=1", "tracking=none").returncode == 0
    answer = repository.run("reproduce", *shlex.split(command)[2:])
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target):
    answer = subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_links_lead_somewhere(document, link):
    assert (PROJECT / document).parent.joinpath(link).exists()


def test_the_table_of_choices_is_what_conf_holds():
    table = dict(re.findall(r"^\| ([a-z_]+)[^|]*\| ([^|]+) \|$", TEXT["README.md"], re.MULTILINE))
    told = ("model", "optimizer", "scheduler", "batch_growth", "regularization", "dataset", "augmentation", "loss")
    for group in (*told, "tracking", "search", "pruner", "space"):
        choices = {path.stem for path in (PROJECT / "conf" / group).glob("*.yaml")}
        assert {choice.strip() for choice in table[group].split(",")} == choices


def test_the_refusal_in_the_readme_is_the_one_given(run_here):
    command, line = re.search(r"\$ python src/train\.py (.+)\n\s+(.+)\n", TEXT["README.md"]).groups()
    assert run_here(shlex.split(command)).err.strip() == line


def test_the_optimizer_of_the_guide_is_three_small_edits(tmp_path, run_here):
    block = re.search(r"conf/optimizer/amsgrad\.yaml`:\n\n\s+```yaml\n(.*?)```", TEXT["CONTRIBUTING.md"], re.DOTALL)[1]
    text = "\n".join(line.removeprefix("   ") for line in block.splitlines())
    assert yaml.safe_load(text)["lr"] == 0.001
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "amsgrad.yaml").write_text(text)
    answer = run_here(["--config-dir", str(tmp_path / "conf"), "optimizer=amsgrad", "epochs=1", "tracking=none"])
    assert answer.code == 0, answer.err


def first_step(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter, penalty: float) -> float:
    weight.grad = torch.full_like(weight, 0.1)
    if penalty:
        from descent.regularization.l2 import L2

        L2(penalty).after_backward([weight])
    optimizer.step()
    return weight.item()


def decayed_rows() -> list[tuple[str, str, str]]:
    return re.findall(r"^\| `optimizer=(\w+)([^`]*)` \|.*\| ([\d.]+) \|$", TEXT["docs/weight-decay.md"], re.MULTILINE)


@pytest.mark.parametrize(("optimizer", "extra", "after"), decayed_rows())
def test_the_first_step_of_penalty_and_decay(optimizer, extra, after):
    weight = torch.nn.Parameter(torch.ones(1, 1, dtype=torch.float64))
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    decay = 0.5 if "weight_decay" in extra else 0.0
    penalty = 0.5 if "[l2]" in extra else 0.0
    got = first_step(rule([weight], lr=0.1, weight_decay=decay), weight, penalty)
    np.testing.assert_allclose(got, float(after), atol=5e-5)


def test_the_worked_example_has_all_its_rows():
    assert len(decayed_rows()) == 6
