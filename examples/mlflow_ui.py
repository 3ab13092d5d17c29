"""How MLflow's UI shows a study that was compared, as pictures: python examples/mlflow_ui.py docs/pictures

It needs Chromium (`make browser`).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from PIL import Image

from reference.browser import Browser, browser
from reference.ui import PICTURE, compared, comparing, page_of, says, served

WIDTH, COLOURS = 1200, 64
PANE = (198, 0, 890, 1000)  # of a page, without what stands beside it


def main(folder: Path) -> None:
    with TemporaryDirectory(prefix="descent-ui-") as scratch:
        study, trials = compared(Path(scratch))
        with served(Path(scratch)) as address, browser() as chromium:
            chromium.visit(page_of(address, study), WIDTH, PICTURE)
            picture(chromium, folder / "mlflow_study.png")
            chromium.visit(comparing(address, trials), WIDTH, says("mlp/adam/digits seed=0", "optimizer"))
            picture(chromium, folder / "mlflow_compare.png")


def picture(chromium: Browser, file: Path) -> None:
    """What is seen at first, in few colours: small enough for a repository."""
    chromium.value("new Promise((done) => setTimeout(() => done(1), 1500))")  # what is drawn after the words
    chromium.picture(file)
    Image.open(file).convert("RGB").crop(PANE).quantize(COLOURS).save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
