"""A race's page and its table: what they tell is what there is, and hostile words stay words."""

from pathlib import Path

import pytest

from descent.pages import race
from descent.pages.chart import Band, Line
from reference.raced import raced


@pytest.fixture(scope="module")
def page() -> str:
    return race.written(race.page_of(raced(), Path("sweeps/r")))


def test_hostile_words_stay_words(page):
    assert "<script>alert" not in page
    body = page.partition("<script")[0]
    assert "<img" not in body and "alert(1)" in body


def test_the_verdict_names_the_first_and_how_sure(page):
    assert "a has the best mean rank of 2 over 2 workloads: 1; with a probability of" in page


def test_the_table_has_the_best_first():
    head, *rows = race.overall_rows(raced())
    assert [row[0] for row in rows] == ["a", "b"]
    assert rows[0][1] == "1.00" and rows[0][3] == "0.8900"
    assert [row[-1] for row in rows] == ["0%", "12%"]
    assert head[3] == "test/accuracy, one"


def test_markdown_keeps_to_its_columns():
    lines = race.markdown(raced()).splitlines()[2:]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_a_point_that_came_to_nothing_counts_as_the_worst():
    chart = race.best_of_chart(raced(), "one")
    curves = {layer.name: list(layer.y) for layer in chart.layers if isinstance(layer, Line)}
    assert curves["b"][0] == pytest.approx((0.82 + 0.72 + 0.62 + 0.62) / 4)
    assert sum(isinstance(layer, Band) for layer in chart.layers) == 2


def test_each_value_has_a_chart_for_each_of_its_knobs():
    assert [chart.title for chart in race.isolation(raced(), "b")] == ["b: momentum", "b: kind"]


def test_without_repeats_it_says_that_nothing_is_sure():
    assert race.verdict(raced(repeats=1)).endswith("too few repeats, or equal ones, say nothing of how sure that is.")
    assert race.verdict(raced(repeats=0)).startswith("No repeats yet")
    assert race.standing_chart(raced(repeats=0)) is None


def test_its_words_are_no_markup_in_markdown_and_in_the_description():
    for text in (race.markdown(raced()), race.note(raced()).rpartition("\n    ")[0]):
        assert "<img" not in text and "$a_b$" not in text
    assert race.verdict(raced()).split(":")[0] in race.note(raced())
    assert "plots%2Fstanding.png" in race.note(raced()) and "plots%2Fbest_of.png" in race.note(raced(repeats=0))


def test_what_an_earlier_report_left_is_replaced(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "standing.png").write_bytes(b"old")
    race.write(raced(repeats=0), tmp_path)
    assert not (tmp_path / "plots" / "standing.png").exists()
    assert not list(tmp_path.rglob("*.part"))
