"""Train one configuration, or many.

python src/train.py optimizer=adam lr=1e-3
python src/train.py -m optimizer=sgd,adam lr=1e-3,1e-2
python src/train.py --help
"""

from pathlib import Path

from descent.config import Config
from descent.door import entry_point


@entry_point
def main(config: Config, directory: Path) -> float:
    from descent.training import train

    return train(config, directory)


if __name__ == "__main__":
    main()
