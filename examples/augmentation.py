"""What each augmentation draws, as a picture: python examples/augmentation.py docs/pictures/augmentation.png"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import torch
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image
from torch import Tensor

from descent.augmentation.augmentation import Augmentation
from descent.composition import groups
from descent.data.scaling import Scaling
from descent.door import compose, typed

SIDE, COLUMNS, ENLARGED, LABEL, COLOURS = 32, 8, 2, 84, 128


def main(page: Path) -> None:
    """One row for each choice: the image as it is, then what is drawn."""
    choices = [choice for choice in groups()["augmentation"] if choice != "none"]
    tile = SIDE * ENLARGED
    picture = Image.new("RGB", (LABEL + COLUMNS * tile, len(choices) * tile), "white")
    pen, original = ImageDraw.Draw(picture), flower()
    for row, choice in enumerate(choices):
        pen.text((4, row * tile + tile // 2 - 6), choice, fill="black")
        for column, image in enumerate(torch.cat([original, drawn(choice, original, COLUMNS - 1)])):
            drawing = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((tile, tile), Image.Resampling.NEAREST)
            picture.paste(drawing, (LABEL + column * tile, row * tile))
    picture.quantize(COLOURS).save(page, optimize=True)


def flower() -> Tensor:
    """A photograph that ships with scikit-learn, as small as CIFAR's: bytes [1, 3, 32, 32]."""
    photograph = Image.fromarray(load_sample_image("flower.jpg")).crop((150, 0, 577, 427)).resize((SIDE, SIDE))
    pixels = torch.frombuffer(bytearray(photograph.tobytes()), dtype=torch.uint8)
    return pixels.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2)


def drawn(choice: str, image: Tensor, times: int) -> Tensor:
    """That image, augmented so many times: bytes again."""
    settings = typed(compose([f"augmentation={choice}"])).augmentation.settings
    knobs = {key: value for key, value in settings.items() if key != "_target_"}
    scaling = Scaling(image, "unit")
    torch.manual_seed(0)
    inputs, _ = Augmentation(scaling, image, **knobs).batch_in((scaling(image.expand(times, -1, -1, -1)), image))
    return (inputs * 255).round().clamp(0, 255).byte()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
