"""torchvision's single-label image datasets, by name."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from stages.datasets.images import to_rgb
from stages.datasets.index import Progress
from stages.datasets.samples import Dataset, Samples, split_by_content
from stages.errors import DataError, UnreadableImage, unknown_name

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """A torchvision class and the arguments that give its splits; no ``test``: one tree."""

    cls: str
    train: Arguments = field(default_factory=dict)
    test: Arguments | None = None


def _split(cls: str, train: str = "train", test: str = "test", **common: Any) -> Entry:
    return Entry(cls, {"split": train, **common}, {"split": test, **common})


def _flag(cls: str, **common: Any) -> Entry:
    return Entry(cls, {"train": True, **common}, {"train": False, **common})


CATALOGUE: dict[str, Entry] = {
    "caltech101": Entry("Caltech101"),
    "caltech256": Entry("Caltech256"),
    "cifar10": _flag("CIFAR10"),
    "cifar100": _flag("CIFAR100"),
    "clevr": _split("CLEVRClassification", test="val"),
    "country211": _split("Country211"),
    "dtd": _split("DTD"),
    "emnist": _flag("EMNIST", split="balanced"),
    "eurosat": Entry("EuroSAT"),
    "fashionmnist": _flag("FashionMNIST"),
    "fgvcaircraft": _split("FGVCAircraft", train="trainval"),
    "flowers102": _split("Flowers102"),
    "food101": _split("Food101"),
    "gtsrb": _split("GTSRB"),
    "imagenette": _split("Imagenette", test="val"),
    "kmnist": _flag("KMNIST"),
    "mnist": _flag("MNIST"),
    "oxfordiiitpet": _split("OxfordIIITPet", train="trainval"),
    "pcam": _split("PCAM"),
    "places365": _split("Places365", train="train-standard", test="val", small=True),
    "qmnist": _flag("QMNIST"),
    "renderedsst2": _split("RenderedSST2"),
    "semeion": Entry("SEMEION"),
    "stl10": _split("STL10"),
    "sun397": Entry("SUN397"),
    "svhn": _split("SVHN"),
    "usps": _flag("USPS"),
}


def open_vision(
    name: str, root: Path, test_fraction: float, seed: int, memory: Path | None, progress: Progress | None = None
) -> Dataset:
    """Return a torchvision dataset, downloaded to ``root`` unless it is there.

    ``memory`` remembers labels and digests while no file below ``root`` changes. Raises
    ConfigError for an unknown name, DataError if it is neither there nor to be had.
    """
    if name not in CATALOGUE:
        raise unknown_name("dataset", name, [*CATALOGUE, "digits", "folder:PATH", "csv:FILE"])
    entry = CATALOGUE[name]
    train = _samples(name, "train", entry.cls, entry.train, root, memory, progress)
    if entry.test is None:
        return Dataset(name, *split_by_content(train, test_fraction, seed))
    return Dataset(name, train, _samples(name, "test", entry.cls, entry.test, root, memory, progress))


def _samples(
    name: str, split: str, cls: str, arguments: Arguments, root: Path, memory: Path | None, progress: Progress | None
) -> Samples:
    data = _open(cls, arguments, root)
    state = _state(root, arguments)
    path = memory.with_name(f"{memory.stem}-{split}.npz") if memory else None
    rows = (_load(path, state) if path else None) or _scan(data, progress)
    if path:
        _save(path, state, rows)
    classes = _class_names(data, rows.labels)

    def read(row: int) -> Image:
        try:
            return to_rgb(data[row][0])
        except UnreadableImage:
            raise
        except Exception as error:  # each torchvision dataset raises its own
            raise UnreadableImage(str(error)) from error

    ids = [f"{split}/{i:06d}" for i in range(len(data))]
    return Samples(name, split, classes, ids, rows.labels, rows.digests, read, rows.problems)


@dataclass(frozen=True, eq=False)
class _Rows:
    labels: np.ndarray
    digests: np.ndarray
    problems: dict[int, str]


def _open(cls: str, arguments: Arguments, root: Path) -> Any:
    import torchvision

    make: Callable[..., Any] = getattr(torchvision.datasets, cls)
    root.mkdir(parents=True, exist_ok=True)
    try:
        return make(str(root), download=False, **arguments)
    except (RuntimeError, FileNotFoundError):
        pass
    try:
        return make(str(root), download=True, **arguments)
    except Exception as error:  # the network's errors are of many types
        raise DataError(
            f"torchvision's {cls} is not in {root} and could not be downloaded ({error}); "
            f"put its files there as torchvision lays them out, or name their folder with --root"
        ) from error


def _scan(data: Any, progress: Progress | None) -> _Rows:
    """Read every image once for its digest and label."""
    labels, digests, problems = [], [], {}
    targets = _targets(data)
    for i in range(len(data)):
        try:
            image, label = data[i]
            content = f"{image.mode} {image.width} {image.height} ".encode() + image.tobytes()
        except Exception as error:  # each torchvision dataset raises its own
            if targets is None:
                raise DataError(f"torchvision's sample {i} can't be read: {error}") from error
            label, content, problems[i] = targets[i], str(error).encode(), str(error) or type(error).__name__
        labels.append(int(label))
        digests.append(hashlib.sha256(content).digest())
        if progress:
            progress(i + 1, len(data))
    stacked = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    return _Rows(np.array(labels, np.int64), stacked, problems)


def _targets(data: Any) -> Any:
    for name in ("targets", "labels", "_labels", "y"):
        if hasattr(data, name):
            return getattr(data, name)
    return None


def _class_names(data: Any, labels: np.ndarray) -> tuple[str, ...]:
    names = getattr(data, "classes", None) or getattr(data, "categories", None)
    if not names:
        return tuple(str(i) for i in range(int(labels.max()) + 1))
    return tuple(n if isinstance(n, str) else ", ".join(n) for n in names)


def _state(root: Path, arguments: Arguments) -> str:
    """Return a digest of every file's name, size and times below the root."""
    found = sorted(_stats(root))
    return hashlib.sha256(json.dumps([found, dict(arguments)]).encode()).hexdigest()


def _stats(root: Path) -> Iterator[tuple[str, int, int, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            info = os.stat(os.path.join(folder, name), follow_symlinks=False)
            below = os.path.relpath(os.path.join(folder, name), root)
            yield below, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _save(path: Path, state: str, rows: _Rows) -> None:
    about = json.dumps({"state": state, "problems": rows.problems}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, labels=rows.labels, digests=rows.digests, about=np.frombuffer(about, np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)


def _load(path: Path, state: str) -> _Rows | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            rows = stored["labels"], stored["digests"]
    except (OSError, ValueError, KeyError, EOFError):
        return None
    if about["state"] != state:
        return None
    return _Rows(*rows, {int(i): reason for i, reason in about["problems"].items()})
