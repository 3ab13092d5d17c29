"""Prepare a dataset once: read, check, reshape and split it, and write it where training finds it.

python src/prepare.py dataset=digits
python src/prepare.py dataset=digits dataset.resize=32 dataset.channels=3
python src/prepare.py dataset=iris dataset.cache=data/mine

It takes the settings that src/train.py takes, and those of the dataset decide what is written, under data/prepared/.
Training with the same ones uses it, memory-mapped, and refuses it where it is no longer what was written. A second
time it says that it is current.
"""

from descent.config import Config
from descent.door import without_a_run


@without_a_run
def main(config: Config) -> None:
    from descent.preparing import prepare

    prepare(config)


if __name__ == "__main__":
    main()
