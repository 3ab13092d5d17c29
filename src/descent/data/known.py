"""The well-known sets: which files they come in, and what is published of each. Addresses are torchvision's own."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descent.data.downloading import download
from descent.data.faults import fault

BLOCK = 1 << 20
AGAIN = "delete it and set dataset.download=true, or dataset.verify=false for a file of your own"


@dataclass(frozen=True)
class Published:
    """A file as its authors publish it: bytes and MD5."""

    size: int
    md5: str


@dataclass(frozen=True)
class Known:
    """`files` are downloaded; `inside` are what an archive among them holds."""

    torchvision: str  # the class that knows the addresses
    training: int
    test: int
    files: Mapping[str, Published]
    inside: Mapping[str, str]  # file → MD5
    classes: tuple[str, ...] = ()


def _idx(*published: tuple[int, str]) -> dict[str, Published]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return {f"{name}-ubyte.gz": Published(*one) for name, one in zip(names, published, strict=True)}


SETS = {
    "mnist": Known(
        "MNIST",
        60_000,
        10_000,
        _idx(
            (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        {},
        tuple("0123456789"),
    ),
    "fashion_mnist": Known(
        "FashionMNIST",
        60_000,
        10_000,
        _idx(
            (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        {},
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "kmnist": Known(
        "KMNIST",
        60_000,
        10_000,
        _idx(
            (18_165_135, "bdb82020997e1d708af4cf47b453dcf7"),
            (29_497, "e144d726b3acfaa3e44228e80efcd344"),
            (3_041_136, "5c965bf0a639b31b8f53240b1b52f4d7"),
            (5_120, "7320c461ea6c1c855c0b718fb2a4b134"),
        ),
        {},
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "cifar10": Known(
        "CIFAR10",
        50_000,
        10_000,
        {"cifar-10-python.tar.gz": Published(170_498_071, "c58f30108f718f92721af3b95e74349a")},
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
    ),
    "cifar100": Known(
        "CIFAR100",
        50_000,
        10_000,
        {"cifar-100-python.tar.gz": Published(169_001_437, "eb9058c3a382ffc7106e4002c42a8d85")},
        {
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
    ),
    "svhn": Known(
        "SVHN",
        73_257,
        26_032,
        {
            "train_32x32.mat": Published(182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
            "test_32x32.mat": Published(64_275_384, "eb5a983be6a315427106f1b164d9cef3"),
        },
        {},
        tuple("0123456789"),
    ),
}


def provide(name: str, file: str, root: Path, *, fetch: bool) -> Path:
    """The file of a known set in its folder, downloaded if that is asked for."""
    path = root / file
    if path.is_file():
        return path
    if path.exists():
        raise fault(path, "no file", f"allowed {file} as it is published")
    if not fetch:
        raise missing(name, root, file)
    published = SETS[name].files[file]
    download(addresses(name, file), path, size=published.size, md5=published.md5)
    return path


def refuse_absent(name: str, root: Path) -> None:
    """What is looked for when the set is read: each file, packed or not, or the folder that an archive held."""
    for file in SETS[name].files:
        is_archive = file.endswith(".tar.gz")
        unpacked = root.glob("cifar-*/") if is_archive else root.glob(file.removesuffix(".gz"))
        if not (root / file).exists() and not any(unpacked):
            raise missing(name, root, file)


def missing(name: str, root: Path, file: str) -> Exception:
    """What to put where by hand."""
    others = len(SETS[name].files) - 1
    rest = f" and the other {others}" if others > 1 else " and the other one" if others else ""
    return fault(
        root / file, "missing", f"put it{rest} of {name} there, or set dataset.download=true or dataset.root=…"
    )


def addresses(name: str, file: str) -> Sequence[str]:
    """Where torchvision gets the file from."""
    from torchvision import datasets

    source = getattr(datasets, SETS[name].torchvision)
    if hasattr(source, "mirrors"):
        return [f"{mirror}{file}" for mirror in source.mirrors]
    if hasattr(source, "split_list"):
        return [address for address, part, _ in source.split_list.values() if part == file]
    return [source.url]


def refuse_altered(file: Path, md5: str) -> None:
    """A file that is not the published one."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise fault(file, f"unreadable ({error.strerror})", "check its permissions") from None
    if digest.hexdigest() != md5:
        raise fault(file, f"MD5 {digest.hexdigest()[:8]}…, published {md5[:8]}…", AGAIN)


def refuse_other_count(file: Path, count: int, published: int) -> None:
    """A file with another number of samples than the published one."""
    if count != published:
        raise fault(file, f"{count} samples, published {published}", AGAIN)
