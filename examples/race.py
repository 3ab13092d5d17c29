"""A race's table and pictures into docs/races.md and docs/pictures.

python examples/race.py sweeps/race               all of its pictures
python examples/race.py sweeps/race standing      that one alone
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "races.md"
SHOWN = {
    "standing": "what the repeats came to",
    "profile": "on which share of the workloads each is nearly the soonest",
    "best_of": "what to expect of the best of k points",
    "isolation": "the objective against the first knob of each",
}
WIDEST, COLOURS = 1100, 96
BEGIN, END = "<!-- raced: python examples/race.py -->", "<!-- /raced -->"


def main(study: Path, names: Sequence[str]) -> None:
    """Table and pictures between their marks, and the files as small as what is kept in git should be."""
    links = [f"![{SHOWN[name]}](pictures/race_{name}.png)\n" for name in names]
    made = "\n".join([BEGIN, (study / "table.md").read_text(), *links, END])
    text = PAGE.read_text()
    PAGE.write_text(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: made, text, flags=re.DOTALL))
    for name in names:
        image = Image.open(study / "plots" / f"{name}.png").convert("RGB")
        image.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
        file = PROJECT / "docs" / "pictures" / f"race_{name}.png"
        image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
        print(f"{file.name}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(SHOWN))
