"""A race's table and pictures into docs/races.md and docs/pictures: python examples/race.py sweeps/<study>"""

import re
import sys
from pathlib import Path

from PIL import Image

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "races.md"
SHOWN = ("standing", "best_of", "isolation", "profile")
WIDEST, COLOURS = 1100, 96
BEGIN, END = "<!-- raced: python examples/race.py -->", "<!-- /raced -->"


def main(study: Path) -> None:
    """The table between its marks, and the pictures as small as what is kept in git should be."""
    text = PAGE.read_text()
    made = f"{BEGIN}\n{(study / 'table.md').read_text()}{END}"
    PAGE.write_text(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: made, text, flags=re.DOTALL))
    for name in SHOWN:
        image = Image.open(study / "plots" / f"{name}.png").convert("RGB")
        image.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
        file = PROJECT / "docs" / "pictures" / f"race_{name}.png"
        image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
        print(f"{file.name}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
