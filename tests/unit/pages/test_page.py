"""A page: one file, nothing from outside, and nothing that a run says becomes markup."""

import html
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from descent.pages import interactive, search, surrogates
from descent.pages.chart import Axis, Band, Bars, Chart, Field, Line, Points
from descent.pages.page import Command, Facts, Page, Section, Table, written
from reference.searched import EVIL, searched

CHART = Chart(
    EVIL,
    Axis(EVIL, categories=(EVIL, "b")),
    Axis(EVIL, log=True),
    (
        Band([0, 1], [1, 1], [2, 2], EVIL),
        Line([0, 1], [1, math.nan], EVIL, texts=[EVIL, EVIL]),
        Points([0, 1], [1, 2], EVIL, shades=[0, 1], texts=[EVIL, EVIL]),
        Field([0, 1], [1, 2], [[1, 2], [math.nan, 4]], EVIL),
    ),
    EVIL,
)
PAGE = Page(EVIL, EVIL, [Section(EVIL, [EVIL, Table([EVIL], [[EVIL]]), Command(EVIL), Facts([(EVIL, EVIL)]), CHART])])


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def page():
    return written(PAGE)


def test_what_runs_say_makes_no_element(page):
    found = Elements(page).found
    assert [tag for tag, _ in found].count("script") == 3  # data, Plotly, ours
    assert [tag for tag, _ in found].count("img") == 0
    assert not [attributes for _, attributes in found if any(name.startswith("on") for name in attributes)]


def test_it_is_shown_as_it_was_said(page):
    assert f"<h1>{html.escape(EVIL)}</h1>" in page


def test_nothing_is_loaded_from_outside(page):
    for tag, attributes in Elements(page).found:
        assert tag != "script" or "src" not in attributes
        assert not str(attributes.get("href", "data:")).startswith("http")
    assert "default-src &#x27;none&#x27;" in page


def test_plotly_is_inlined_once_and_not_at_all_without_a_chart(page):
    assert page.count("plotly.js v") == 1
    assert len(written(Page("title", "verdict", [Section("words", ["only"])]))) < 20_000


def test_the_figures_are_json_without_nan(page):
    text = re.search(r'id="charts">(.*?)</script>', page)[1]
    (figure,) = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert len(figure["data"]) == 5  # a band is two lines


def test_plotly_gets_no_markup():
    text = json.dumps(interactive.figure(CHART), ensure_ascii=False)
    assert "<" not in text
    assert "hovertemplate" not in text


@pytest.mark.parametrize("place", range(8))
def test_a_colour_is_one_of_the_schemes(page, place):
    assert f"{interactive.colour_of(place)}:" in page
    assert f"{interactive.shade_of(place / 7)}:" in page


def test_bars_stand_in_their_order():
    chart = Chart("", Axis(), Axis(categories=("c", "b", "a")), (Bars(["a", "b", "c"], [3, 2, 1]),))
    (trace,) = interactive.figure(chart)["data"]
    names = interactive.figure(chart)["layout"]["yaxis"]["ticktext"]
    assert [names[place] for place in trace["y"]] == ["a", "b", "c"]


def test_a_search_leaves_a_page_and_pictures(tmp_path):
    page, folder = search.write(searched(), tmp_path)
    assert "Best of 27 finished trials" in page.read_text()
    assert html.escape(EVIL) in page.read_text()
    names = {"history", "importance", "slices", "contour", "curves", "surrogate"}
    assert {file.stem for file in folder.iterdir()} == names
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in folder.iterdir())


def test_a_searchs_note_has_question_answer_picture_and_command():
    question, answer, picture, *command = search.note(searched(objectives=2)).split("\n\n")
    assert question == "Which lr, width, kind, kind=a/p maximize val/accuracy and minimize model/parameters?"
    assert answer.startswith("**") and "finished trials are on the Pareto front" in answer
    assert picture == "![history](get-artifact?path=plots%2Fhistory.png&run_uuid={this run})"
    assert command == [f"    python src/train.py -m {EVIL}"]


def test_expected_improvement_is_the_mean_of_what_is_gained():
    random = np.random.default_rng(0)
    mean, deviation = np.array([0.0, 1.0, -0.5, 2.0]), np.array([1.0, 0.3, 2.0, 0.0])
    draws = mean + deviation * random.standard_normal((400_000, 4))
    for minimize, gained in ((False, draws - 0.4), (True, 0.4 - draws)):
        found = surrogates.expected_improvement(mean, deviation, 0.4, minimize)
        assert found == pytest.approx(np.maximum(gained, 0).mean(axis=0), abs=6e-3)
