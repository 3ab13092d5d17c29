"""What the user reads and what the shell sees; what an entry point leaves behind."""

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

from descent import composition, door
from descent.errors import DataError, Diverged, EnvironmentFault, Interrupted, UsageError
from descent.rules import LONGEST_LINE

SCRIPT = """
import sys
sys.path.insert(0, {source!r})
from descent.door import entry_point
from descent.errors import *

@entry_point
def main(config, directory):
    print(directory)
    {body}

main()
"""


@pytest.fixture
def script(tmp_path_factory):
    """A script of another kind beside conf/, with the body that a test gives it."""
    project = tmp_path_factory.mktemp("project")
    (project / "conf").symlink_to(composition.CONFIG_DIRECTORY)
    (project / "src").mkdir()

    def make(body):
        file = project / "src" / "other.py"
        file.write_text(SCRIPT.format(source=str(composition.CONFIG_DIRECTORY.parent / "src"), body=body))
        return file

    return make


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("lr: no"), 2, "lr: no"),
        (DataError("data: no"), 3, "data: no"),
        (EnvironmentFault("disk: no"), 4, "disk: no"),
        (Diverged("loss: nan"), 5, "loss: nan"),
        (Interrupted(15), 143, "interrupted by SIGTERM"),
        (PermissionError(13, "Permission denied", "/x"), 4, "/x: Permission denied; free or choose another place"),
        (OSError(28, "No space left on device"), 4, "disk: No space left on device; free or choose"),
        (KeyError("a\nb"), 1, "internal error: KeyError: 'a\\nb'; DESCENT_DEBUG=1 shows where"),
        (KeyboardInterrupt(), 130, "internal error: KeyboardInterrupt"),
    ],
)
def test_an_error_is_a_line_and_a_code(error, code, line):
    assert door.one_line(error).startswith(line)
    assert door.exit_code(error) == code


@pytest.mark.parametrize(
    "error", [UsageError("x\n" * 300), OSError(2, "No such file", "/" + "x" * 900), ValueError("y" * 900)]
)
def test_a_line_is_one_and_short(error):
    line = door.one_line(error)
    assert len(line) <= LONGEST_LINE
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "code", "line", "kept"),
    [
        ("return config.lr", 0, "", True),
        ("raise UsageError('model.pool: too large')", 2, "model.pool: too large", False),
        ("(directory / 'mine').touch(); raise UsageError('late: no')", 2, "late: no", True),
        ("raise Diverged('loss: nan at step 3')", 5, "loss: nan at step 3", True),
        ("raise OSError(28, 'No space left on device', 'x.npy')", 4, "x.npy: No space left on device", True),
        ("raise KeyboardInterrupt", 130, "interrupted", True),
        ("{}['key']", 1, "internal error: KeyError: 'key'", True),
    ],
)
def test_what_a_task_ends_with(script, run_here, tmp_path, body, code, line, kept):
    answer = run_here(["lr=0.5"], script=script(body))
    assert answer.code == code
    assert answer.err.startswith(line)
    assert len(answer.err.splitlines()) == (code != 0)
    assert bool(list(tmp_path.iterdir())) == kept


def test_a_refused_build_leaves_what_was_there(script, run_here, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine").touch()
    answer = run_here([f"hydra.run.dir={own}"], script=script("raise UsageError('no: no')"))
    assert answer.code == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["own", "mine"]


def test_a_run_has_a_directory_named_after_it(script, run_here, tmp_path):
    answer = run_here(["name=mine"], script=script("pass"))
    directory = answer.out.strip()
    assert directory.startswith(f"{tmp_path}/runs/") and directory.endswith("-mine")
    assert (tmp_path / directory / ".hydra" / "overrides.yaml").read_text() == "- name=mine\n"


def test_a_dry_run_writes_nothing(run_here, tmp_path):
    answer = run_here(["dry_run=true", "dataset=synthetic", "epochs=1"])
    assert (answer.code, answer.err) == (0, "")
    assert "nothing was written" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_a_hydra_that_runs_is_there_again_after_a_composition():
    with hydra.initialize_config_dir(str(composition.CONFIG_DIRECTORY), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        composition.compose(["lr=1"])
        assert GlobalHydra.instance().hydra is running is not None


def test_compose_is_what_the_command_line_composes(composed):
    config = composed("optimizer=sgd", "model.hidden=[8]")
    assert config.choices["optimizer"] == "sgd"
    assert config.settings["model"]["hidden"] == [8]
    assert config.overrides == ("optimizer=sgd", "model.hidden=[8]")


def test_an_error_that_is_not_the_composition_s_stays_itself():
    error = KeyError("ours")
    assert composition.explained(error, ["lr=0.1"]) is error


def test_the_groups_are_the_folders():
    assert {"cnn", "mlp"} <= set(composition.groups()["model"])
    assert "hydra" not in composition.groups()
