"""Pages in a real browser: narrow and wide, light and dark, they draw, complain of nothing and ask for nothing."""

import pytest

from descent.pages import search
from reference.browser import browser
from reference.searched import searched

VIEWS = [(400, "light"), (400, "dark"), (1400, "light"), (1400, "dark")]
BRIGHT = "(([r, g, b]) => (r + g + b) / 3)(getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))"
WIDER = "document.documentElement.scrollWidth > window.innerWidth"
EMPTY = "[...document.querySelectorAll('.draw')].filter((one) => !one.querySelector('.main-svg')).length"
OUTSIDE = "document.querySelectorAll('main img, main script, [onerror]').length"


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


@pytest.mark.slow
def test_the_browser_sees_what_is_wrong(chromium, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<script>console.error('x'); fetch('http://127.0.0.1:9/').catch(() => 0); throw new Error('y')</script>"
    )
    seen = chromium.open(bad, 400)
    assert len(seen.complaints) >= 2
    assert seen.requests == ["http://127.0.0.1:9/"]
