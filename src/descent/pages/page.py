"""One HTML file that needs nothing else: words, tables, commands and charts; light and dark, wide and narrow.

Everything that is put in is escaped. The page forbids its own browser to load anything from outside.
"""

import html
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descent.pages.chart import PALETTE, SHADES, Chart
from descent.pages.interactive import figure

STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("page.css", "page.js"))
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
SHORT, LONG = 12, 40  # letters of a cell
HEIGHT, ROW = 320, 26  # pixels of a chart, as page.css has it, and of a category where there are many
DARK_PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#0072B2")


@dataclass(frozen=True)
class Table:
    """Rows under their heads; numbers stand at the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()  # places of columns


@dataclass(frozen=True)
class Command:
    """To be copied."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Name and value, as tiles."""

    pairs: Sequence[tuple[str, str]]


Part = str | Table | Command | Facts | Chart


@dataclass(frozen=True)
class Section:
    """Parts under a heading; charts that follow each other stand side by side where there is room."""

    title: str
    parts: Sequence[Part]
    note: str = ""


@dataclass(frozen=True)
class Page:
    """The verdict is the sentence that a reader in a hurry reads."""

    title: str
    verdict: str
    sections: Sequence[Section]


def written(page: Page) -> str:
    """The whole file."""
    charts: list[dict[str, Any]] = []
    body = "\n".join(_section(section, charts) for section in page.sections)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{html.escape(page.title)}</title>",
            f"<style>{_variables()}\n{STYLE.read_text()}</style></head><body><main>",
            f'<header><h1>{html.escape(page.title)}</h1><p class="verdict">{html.escape(page.verdict)}</p></header>',
            body,
            "</main>",
            f'<script type="application/json" id="charts">{_embedded(charts)}</script>',
            *([f"<script>{_plotly()}</script>", f"<script>{SCRIPT.read_text()}</script>"] if charts else []),
            "</body></html>\n",
        ]
    )


def _section(section: Section, charts: list[dict[str, Any]]) -> str:
    lines = [f"<section><h2>{html.escape(section.title)}</h2>"]
    lines += [f'<p class="note">{html.escape(section.note)}</p>'] if section.note else []
    in_row = False
    for part in section.parts:
        if isinstance(part, Chart) != in_row:
            in_row = not in_row
            lines.append('<div class="charts">' if in_row else "</div>")
        lines.append(_part(part, charts))
    return "\n".join([*lines, *(["</div>"] if in_row else []), "</section>"])


def _part(part: Part, charts: list[dict[str, Any]]) -> str:
    if isinstance(part, Chart):
        charts.append(figure(part))
        note = f"<figcaption>{html.escape(part.note)}</figcaption>" if part.note else ""
        kind = "chart wide" if part.wide else "chart"
        title = html.escape(part.title)
        tall = f' style="height:{height}px"' if (height := ROW * len(part.y.categories) + 90) > HEIGHT else ""
        draw = f'<div class="draw"{tall} data-chart="{len(charts) - 1}" role="img" aria-label="{title}"></div>'
        return f'<figure class="{kind}"><h3>{title}</h3>{draw}{note}</figure>'
    if isinstance(part, Command):
        return f'<pre class="command" tabindex="0"><code>{html.escape(part.text)}</code></pre>'
    if isinstance(part, Facts):
        tiles = "".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in part.pairs
        )
        return f'<dl class="facts">{tiles}</dl>'
    return _table(part) if isinstance(part, Table) else f"<p>{html.escape(part)}</p>"


def _table(table: Table) -> str:
    def row(cells: Sequence[str], kind: str) -> str:
        sizes = [
            "number" if place in table.numbers and len(cell) <= LONG else _size(cell)
            for place, cell in enumerate(cells)
        ]
        shown = zip(sizes, map(html.escape, cells), strict=True)
        drawn = [f'<{kind} class="{size}">{cell}</{kind}>' for size, cell in shown]
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    return f'<div class="scroll"><table><thead>{row(table.head, "th")}</thead><tbody>{body}</tbody></table></div>'


def _size(cell: str) -> str:
    """A word stays on its line; a sentence gets room, and on a phone the table is scrolled."""
    return "short" if len(cell) <= SHORT else "long" if len(cell) > LONG else "text"


def _embedded(data: Any) -> str:
    """JSON inside a script element: nothing in it may end that."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plotly() -> str:
    """Plotly's script as it lies in the installed package, found without importing that."""
    found = importlib.util.find_spec("plotly")
    assert found and found.submodule_search_locations, "plotly is a dependency"
    script = Path(found.submodule_search_locations[0], "package_data", "plotly.min.js").read_text(encoding="utf-8")
    return script.replace("</script", "<\\/script")


def _variables() -> str:
    """The colours of both schemes: what is best is darkest on white and brightest on black."""

    def named(palette: Sequence[str], shades: Sequence[str]) -> str:
        said = [f"--c{place}:{colour};--c{place}-pale:{colour}40" for place, colour in enumerate(palette)]
        return ";".join([*said, *(f"--s{place}:{colour}" for place, colour in enumerate(shades))])

    dark = f"@media (prefers-color-scheme: dark){{:root{{{named(DARK_PALETTE, SHADES[::-1])}}}}}"
    return f":root{{{named(PALETTE, SHADES)}}}{dark}"
