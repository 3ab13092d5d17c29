"""The map of the subject: every row names settings that compose, a test that is there and a page that exists."""

import re
import shlex
from pathlib import Path

import pytest

from descent import composition
from descent.config import parse

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "concepts.md"
ROWS = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
BY_NUMBER = {int(row[0]): row for row in ROWS}
COMMANDS = [
    (number, words)
    for number, row in BY_NUMBER.items()
    for words in re.findall(r"`([^`]+)`", row[2])
    if "=" in words and "python" not in words
]


def linked(cell: str) -> list[Path]:
    return [(PAGE.parent / link.partition("#")[0]).resolve() for link in re.findall(r"\]\(([^)]+)\)", cell)]


def test_no_row_is_doubled():
    assert len(BY_NUMBER) == len(ROWS)
    assert set(BY_NUMBER) <= set(range(1, 26))


@pytest.mark.parametrize("number", sorted(BY_NUMBER))
def test_a_row_names_its_settings_its_test_and_its_page(number):
    settings, tests, pages = (linked(cell) for cell in BY_NUMBER[number][3:6])
    assert settings and all(path.exists() and path.is_relative_to(PROJECT / "conf") for path in settings)
    assert tests and all(path.is_file() and path.is_relative_to(PROJECT / "tests") for path in tests)
    assert pages and all(path.is_file() and path.suffix == ".md" for path in pages)


@pytest.mark.parametrize(("number", "words"), COMMANDS)
def test_what_a_user_writes_composes(number, words):
    raw = composition.compose(shlex.split(words))
    choices, is_sweep = dict(raw.hydra.runtime.choices), "`-m`" in BY_NUMBER[number][2]
    assert parse(composition.without_hydra(raw), choices, [], one_of_many=is_sweep).settings
