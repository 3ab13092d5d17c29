"""The import rule and the sizes of the house, read from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SRC = PROJECT / "src"
FILES = sorted(SRC.rglob("*.py"))
LEAVES = ("data", "models", "optim", "regularization", "tasks", "callbacks", "augmentation")
LIGHT = (
    "advice",
    "arguments",
    "composition",
    "config",
    "contradictions",
    "step_contradictions",
    "door",
    "errors",
    "rules",
    "vocabulary",
)
LIGHT += (
    "step_contradictions",
    "durable",
    "entering",
    "finding",
    "identity",
    "ownership",
    "place",
    "presence",
    "recalling",
    "resuming",
    "sections",
    "stages",
)
HEAVY = {"torch", "torchvision", "torchmetrics", "pytorch_lightning", "mlflow", "optuna", "sklearn", "matplotlib"}
GRAB_BAGS = {"utils", "util", "helpers", "common", "misc", "base", "core"}


def path_of(file: Path) -> str:
    return str(file.relative_to(SRC))


def imports(tree: ast.AST, *, late: bool = True) -> Iterator[str]:
    """Every imported module, `from a import b` as a and a.b; without `late` only what importing the file imports."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node, late=late)


def imported(file: Path, *, late: bool = True) -> set[str]:
    return set(imports(ast.parse(file.read_text()), late=late))


def within(modules: set[str], *packages: str) -> list[str]:
    """Those that are one of the packages or inside it."""
    return sorted(name for name in modules for package in packages if name == package or name.startswith(f"{package}."))


def test_the_reader_of_imports_sees_them():
    tree = ast.parse("import a.b\nfrom c import d\nif x:\n    import e\ndef f():\n    import g\n")
    assert set(imports(tree)) == {"a.b", "c", "c.d", "e", "g"}
    assert set(imports(tree, late=False)) == {"a.b", "c", "c.d", "e"}
    assert within({"mlflow_x", "mlflow.client"}, "mlflow") == ["mlflow.client"]


@pytest.mark.parametrize("file", FILES, ids=path_of)
def test_only_tracking_imports_mlflow(file):
    if not file.is_relative_to(SRC / "descent" / "tracking"):
        assert within(imported(file), "mlflow") == []


@pytest.mark.parametrize("file", FILES, ids=path_of)
def test_only_nodes_instantiates(file):
    if file != SRC / "descent" / "nodes.py":
        assert "instantiate" not in file.read_text().replace("instantiate_launcher", "")


@pytest.mark.parametrize(
    "file", [file for leaf in LEAVES for file in (SRC / "descent" / leaf).rglob("*.py")], ids=path_of
)
def test_a_leaf_takes_values_and_objects(file):
    machinery = ("hydra", "omegaconf", "mlflow", "optuna", "dvc", "hydra_plugins")
    ours = ("descent.config", "descent.assembly", "descent.training", "descent.door", "descent.tracking")
    assert within(imported(file), *machinery, *ours) == []


@pytest.mark.parametrize("file", sorted((SRC / "hydra_plugins").rglob("*.py")), ids=path_of)
def test_the_plugin_meets_the_package_at_the_door(file):
    ours = set(within(imported(file), "descent"))
    meeting = ("descent.door", "descent.errors", "descent.trials")
    assert ours <= {"descent", *within(ours, *meeting)}


@pytest.mark.parametrize("file", sorted((SRC / "descent").rglob("*.py")), ids=path_of)
def test_the_package_knows_no_plugin(file):
    assert within(imported(file), "hydra_plugins") == []


@pytest.mark.parametrize("file", sorted((SRC / "descent" / "tracking").rglob("*.py")), ids=path_of)
def test_tracking_knows_no_configuration(file):
    assert within(imported(file), "hydra", "omegaconf", "descent.config", "descent.door", "descent.assembly") == []


@pytest.mark.parametrize("name", LIGHT)
def test_what_answers_a_typo_imports_nothing_heavy(name):
    assert within(imported(SRC / "descent" / f"{name}.py", late=False), *HEAVY) == []


@pytest.mark.parametrize("file", sorted(SRC.glob("*.py")), ids=path_of)
def test_a_script_imports_late(file):
    assert within(imported(file, late=False), *HEAVY, "descent.training", "descent.assembly") == []


def test_importing_descent_leaves_out_what_is_heavy():
    modules = ", ".join(f"descent.{name}" for name in LIGHT)
    heavy = f"sorted({HEAVY!r} & sys.modules.keys())"
    code = f"import sys, descent, {modules}, hydra_plugins.descent_sweeper.sweeper; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], cwd=SRC, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_statistics_need_neither_torch_nor_mlflow():
    """Nor does anything that they import."""
    names = sorted(file.stem for file in (SRC / "descent" / "comparison").glob("[a-z]*.py"))
    assert {"contrast", "families", "power", "ranking", "resampling", "spread", "summary", "target"} <= set(names)
    modules = ", ".join(f"descent.comparison.{name}" for name in names)
    code = f"import sys, {modules}; print(sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=SRC, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_newcomer_reads_little():
    read = [SRC / "train.py", SRC / "descent/training.py", SRC / "descent/assembly.py", PROJECT / "conf/config.yaml"]
    lines = {file.name: len(file.read_text().splitlines()) for file in read}
    assert sum(lines.values()) < 300, lines


@pytest.mark.parametrize("file", FILES, ids=path_of)
def test_a_file_has_at_most_400_lines(file):
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", FILES, ids=path_of)
def test_a_function_has_at_most_60_lines(file):
    functions = [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {node.name: lines for node in functions if (lines := node.end_lineno - node.lineno + 1) > 60}
    assert long == {}


@pytest.mark.parametrize("file", FILES, ids=path_of)
def test_a_name_says_what_is_inside(file):
    assert not GRAB_BAGS & {part.removesuffix(".py").strip("_") for part in file.relative_to(SRC).parts}


def test_the_plugins_are_a_namespace():
    assert not (SRC / "hydra_plugins" / "__init__.py").exists()


def test_nothing_shadows_a_library():
    names = {path.stem for path in SRC.iterdir() if path.name != "__pycache__"}
    assert not names & set(sys.stdlib_module_names)
    assert {path.name for path in SRC.iterdir() if path.is_dir() and path.name != "__pycache__"} == {
        "descent",
        "hydra_plugins",
    }
