"""dvc.yaml and params.yaml: every stage composes, and depends on what it comes from and on nothing else."""

import shlex
from pathlib import Path

import pytest
import yaml

from descent import identity, sections
from descent.arguments import read
from descent.door import compose, typed

PROJECT = Path(__file__).parents[1]
STAGES = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
TRAININGS = ("train", "sweep")
CODE = PROJECT / "src" / "descent"


def words_of(stage):
    return shlex.split(STAGES[stage]["cmd"])[2:]


def covered(stage, path):
    return any(path == dep or path.startswith(f"{dep}/") for dep in STAGES[stage]["deps"])


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_reads_of_params_it_depends_on(stage):
    names, _ = sections.asked(words_of(stage))
    assert names == STAGES[stage]["params"]


@pytest.mark.parametrize("stage", ("prepare", "train"))
def test_a_stage_composes(stage, monkeypatch):
    monkeypatch.chdir(PROJECT)
    assert typed(compose(sections.with_overrides(*sections.asked(words_of(stage)))))


def test_the_sweep_composes_at_each_of_its_points(monkeypatch, run_here):
    monkeypatch.setenv("DESCENT_WORKSPACE", str(PROJECT))
    answer = run_here([*words_of("sweep"), "dataset.cache=null", "dry_run=true"])
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(("stage", "key"), [("evaluate", "outputs"), ("compare", "save")])
def test_what_only_looks_is_understood(stage, key, monkeypatch):
    from runpy import run_path

    monkeypatch.chdir(PROJECT)
    main = run_path(str(PROJECT / "src" / f"{stage}.py"))["main"]
    table = next(cell.cell_contents for cell in main.__closure__ if isinstance(cell.cell_contents, list))
    assert read(table, sections.with_words(*sections.asked(words_of(stage))))[key] == f"outputs/{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_are_there(stage):
    made = {out for other in STAGES.values() for kind in ("outs", "metrics", "plots") for out in other.get(kind, [])}
    assert [dep for dep in STAGES[stage]["deps"] if dep not in made and not (PROJECT / dep).exists()] == []


@pytest.mark.parametrize("stage", TRAININGS)
def test_a_training_depends_on_all_code_that_makes_it_another(stage):
    """What identity.py counts, but for what leads a sweep where there is none."""
    leads = {"trials.py", "watching.py", "sweeping.py", "objectives.py"} if stage == "train" else set()
    counted = {path for path in identity.package_code() if path not in {*leads, "__init__.py"}}
    assert sorted(path for path in counted if not covered(stage, f"src/descent/{path}")) == []


@pytest.mark.parametrize("stage", TRAININGS)
def test_a_training_does_not_depend_on_what_only_looks_at_it(stage):
    others = ("evaluation/judging.py", "comparison/summary.py", "tracking/run.py", "report.py", "door.py", "rules.py")
    assert [path for path in others if covered(stage, f"src/descent/{path}")] == []


@pytest.mark.parametrize("stage", TRAININGS)
def test_a_training_depends_on_every_group_that_it_is_composed_of(stage):
    looks = {"tracking", "hydra"} | ({"search", "pruner", "space", "sweep"} if stage == "train" else set())
    groups = {folder.name for folder in (PROJECT / "conf").iterdir() if folder.is_dir()} - looks
    assert sorted(group for group in groups if not covered(stage, f"conf/{group}/x.yaml")) == []


def test_a_run_directory_is_nobodys_out():
    outs = [out for stage in STAGES.values() for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    assert all(out.startswith("outputs/") for out in outs)
    assert (PROJECT / ".gitignore").read_text().splitlines().count("/outputs/") == 1
