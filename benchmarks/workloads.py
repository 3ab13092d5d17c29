"""What is trained: three sizes of work, each as command-line overrides, and each small enough for a smoke run too."""

from dataclasses import dataclass, replace

from descent.config import Config
from descent.door import compose, typed


@dataclass(frozen=True)
class Workload:
    """A configuration, and how long a measurement trains it."""

    name: str
    title: str
    overrides: tuple[str, ...]
    threads: int
    epochs: int
    samples: int | None = None  # of the synthetic dataset, of which 0.8 are trained on

    def config(self, epochs: int, *more: str) -> Config:
        """The product's own configuration of it."""
        data = () if self.samples is None else (*SYNTHETIC, f"dataset.samples={self.samples}")
        sizes = (f"epochs={epochs}", f"threads={self.threads}")
        return typed(compose([*data, *self.overrides, *sizes, *more]))

    def quick(self) -> "Workload":
        """The same shapes for a few seconds: shows that everything runs, measures nothing."""
        return replace(self, epochs=1, samples=self.samples and 640)


SYNTHETIC = ("dataset=synthetic", "dataset.classes=10", "dataset.kind=image", "dataset.shape=[1,28,28]")
DIGITS = Workload("digits", "digits MLP", ("dataset=digits", "batch_size=32"), threads=1, epochs=300)
MNIST = Workload(
    "mnist",
    "MNIST-size MLP",
    ("model.hidden=[512,256]", "batch_size=128"),
    threads=2,
    epochs=6,
    samples=75_000,
)
CNN = Workload("cnn", "small CNN", ("model=cnn", "batch_size=128"), threads=2, epochs=3, samples=12_500)
WORKLOADS = {workload.name: workload for workload in (DIGITS, MNIST, CNN)}
