"""The programs of examples/ that train: they run and draw, in a moment's epochs."""

import pytest

from reference import forked


@pytest.mark.parametrize("name", ["landscape", "two_inputs", "capacity"])
def test_an_example_draws(tmp_path, name):
    answer = forked.train(tmp_path, ["picture.png", "epochs=2"], script=f"../examples/{name}.py")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1].endswith("picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
