"""The torchvision datasets that have one label per image and a download, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class CatalogueEntry:
    """A torchvision class and the arguments that give its splits; no ``test``: one tree.

    ``validation``: of a split whose rows follow the training rows and are some of them.
    """

    cls: str
    train: Arguments = field(default_factory=dict)
    test: Arguments | None = None
    validation: Arguments | None = None


def _split(cls: str, train: str = "train", test: str = "test", **common: Any) -> CatalogueEntry:
    return CatalogueEntry(cls, {"split": train, **common}, {"split": test, **common})


def _validated(cls: str) -> CatalogueEntry:
    return CatalogueEntry(cls, {"split": "train"}, {"split": "test"}, {"split": "val"})


def _flag(cls: str, **common: Any) -> CatalogueEntry:
    return CatalogueEntry(cls, {"train": True, **common}, {"train": False, **common})


CATALOGUE: dict[str, CatalogueEntry] = {
    "caltech101": CatalogueEntry("Caltech101"),
    "caltech256": CatalogueEntry("Caltech256"),
    "cifar10": _flag("CIFAR10"),
    "cifar100": _flag("CIFAR100"),
    "clevr": _split("CLEVRClassification", test="val"),
    "country211": _split("Country211"),
    "dtd": _split("DTD"),
    "dtd-trainval": _validated("DTD"),
    "emnist": _flag("EMNIST", split="balanced"),
    "eurosat": CatalogueEntry("EuroSAT"),
    "fashionmnist": _flag("FashionMNIST"),
    "fgvcaircraft": _split("FGVCAircraft", train="trainval"),
    "fgvcaircraft-trainval": _validated("FGVCAircraft"),
    "flowers102": _split("Flowers102"),
    "flowers102-trainval": _validated("Flowers102"),
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
    "semeion": CatalogueEntry("SEMEION"),
    "stl10": _split("STL10"),
    "sun397": CatalogueEntry("SUN397"),
    "svhn": _split("SVHN"),
    "usps": _flag("USPS"),
}
