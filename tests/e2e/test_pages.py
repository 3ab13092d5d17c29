"""Pages in a real browser: narrow and wide, light and dark, they draw, complain of nothing and ask for nothing."""

from dataclasses import replace

import numpy as np
import pytest

from descent.comparison import comparing, reporting, saving, workloads
from descent.comparison.grouping import Group
from descent.comparison.ranking import chances_of_first
from descent.comparison.spread import spread
from descent.comparison.target import reached
from descent.comparison.verdicts import verdicts
from descent.pages import race, search
from descent.tracking.reading import Stored
from reference.browser import browser
from reference.raced import raced
from reference.searched import EVIL, searched

TAGS = {"git_commit": "0123456789abcdef", "git_dirty": "true", "command": f"python src/train.py name={EVIL}"}

VIEWS = [(400, "light"), (400, "dark"), (1400, "light"), (1400, "dark")]
BRIGHT = "(([r, g, b]) => (r + g + b) / 3)(getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))"
WIDER = "document.documentElement.scrollWidth > window.innerWidth"
EMPTY = "[...document.querySelectorAll('.draw')].filter((one) => !one.querySelector('.main-svg')).length"
OUTSIDE = "document.querySelectorAll('main img, main script, [onerror]').length"


def found(chromium, seen):
    """Complaints, requests, charts, empty ones, what is from outside, and whether the page is wider than the screen."""
    looked = (chromium.value(one) for one in ("document.querySelectorAll('.draw').length", EMPTY, OUTSIDE, WIDER))
    return seen.complaints, seen.requests, *looked


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_a_searchs_page_in_a_browser(chromium, tmp_path, width, scheme, objectives):
    page, _ = search.write(searched(objectives=objectives), tmp_path)
    seen = chromium.open(page, width, scheme)
    assert (seen.complaints, seen.requests) == ([], [])
    assert chromium.value("document.querySelectorAll('.draw').length") > 8
    assert chromium.value(EMPTY) == 0
    assert chromium.value(OUTSIDE) == 0
    assert not chromium.value(WIDER)
    assert (chromium.value(BRIGHT) > 128) == (scheme == "light")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The page of a comparison with everything on it, its runs named by somebody who means ill."""
    names = ("adam", EVIL, "<script>alert(2)</script> $x$ [/b]")
    random = np.random.default_rng(0)
    groups = []
    for place, name in enumerate(names):
        values = random.normal(0.9 - 0.02 * place, 0.01, 5).tolist()
        runs = [
            Stored(f"{place}{seed:031x}", name, "FINISHED", 1, {"optimizer": name, "batch_size": "32"}, TAGS,
                   {"test/accuracy": value, "model/multiply_adds": 1000.0, "time/seconds": 3.0}, 1000)
            for seed, value in enumerate(values)
        ]  # fmt: skip
        groups.append(Group(name, {("seed", seed): run for seed, run in enumerate(runs)}))
    samples = {group.name: group.values("test/accuracy") for group in groups}
    found = comparing.Comparison(
        ("optimizer",), "test/accuracy", "maximize", groups,
        {name: spread(list(one.values()), "maximize") for name, one in samples.items()},
        chances_of_first({name: list(one.values()) for name, one in samples.items()}, "maximize"),
        verdicts(samples, "maximize"), {EVIL: 3}, [EVIL],
    )  # fmt: skip
    ends = {run.id: run.metrics["test/accuracy"] for group in groups for run in group.runs.values()}

    def history(run, metric):
        return (
            [(epoch, ends[run] * (1 - 0.5 ** (epoch + 1))) for epoch in range(12)] if metric == "val/accuracy" else []
        )

    found = replace(found, reached=reached(groups, "test/accuracy", "maximize", 0.87, history))
    folder = tmp_path_factory.mktemp("compared")
    saving.write(reporting.told(found, history, costs=True), f"python src/compare.py by={EVIL}", folder)
    return folder / "report.html"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_a_comparisons_page_in_a_browser(chromium, compared, width, scheme):
    seen = chromium.open(compared, width, scheme)
    assert found(chromium, seen) == ([], [], 6, 0, 0, False)
    assert (chromium.value(BRIGHT) > 128) == (scheme == "light")


@pytest.fixture(scope="module")
def ranked(tmp_path_factory):
    """The page of groups over workloads."""
    random = np.random.default_rng(0)
    loads = ("digits mlp", "digits cnn", EVIL)
    rows = {
        group: {load: [(*(random.integers(2, 20) * (1.0 + place) * np.ones(5)),) for _ in range(4)] for load in loads}
        for place, group in enumerate(("adam", "sgd", EVIL))
    }
    found = workloads.Workloads("optimizer", "dataset,model", rows, dict.fromkeys(loads, "val/accuracy 0.9"), [EVIL])
    folder = tmp_path_factory.mktemp("ranked")
    saving.write(workloads.told(found), "python src/compare.py", folder)
    return folder / "report.html"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), VIEWS[::3])
def test_a_page_of_workloads_in_a_browser(chromium, ranked, width, scheme):
    seen = chromium.open(ranked, width, scheme)
    assert found(chromium, seen) == ([], [], 4, 0, 0, False)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), VIEWS[1:3])
def test_a_races_page_in_a_browser(chromium, tmp_path, width, scheme):
    page, *_ = race.write(raced(), tmp_path)
    seen = chromium.open(page, width, scheme)
    assert found(chromium, seen) == ([], [], 8, 0, 0, False)


@pytest.mark.slow
def test_the_browser_sees_what_is_wrong(chromium, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<script>console.error('x'); fetch('http://127.0.0.1:9/').catch(() => 0); throw new Error('y')</script>"
    )
    seen = chromium.open(bad, 400)
    assert len(seen.complaints) >= 2
    assert seen.requests == ["http://127.0.0.1:9/"]
