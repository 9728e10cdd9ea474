"""Features of real data for what is measured on little of it: computed once, then read from one file.

``ASSETS`` holds ``cifar10-jpg.tar.gz``, ``weights/`` and ``text/``. 400 training and 400 test pictures of each of
CIFAR-10's classes through three encoders; TREC-6's questions through MiniLM; scikit-learn's digits as they are.
"""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

OF_EACH = 400
ENCODERS = {
    "resnet8": {"backbone": "resnet8-cifar10"},
    "mobilenet": {"backbone": "mobilenet_v2", "weights": "weights/mobilenet_v2-imagenet1k.pth", "size": "112"},
    "squeezenet": {"backbone": "squeezenet1_0", "weights": "weights/squeezenet1_0-imagenet1k.pth", "size": "112"},
}


class Rows(NamedTuple):
    """Features float32 (n, d) and labels int64 (n,) to draw training rows from, and those to test on."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]


def real_features(assets: Path, cache: Path) -> dict[str, Rows]:
    """Return each set of features by name, from ``cache``/features.npz where that is there."""
    file = cache / "features.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        found = {"digits": _digits(), **dict(_pictures(assets, cache)), "trec": _questions(assets / "text")}
        arrays: dict[str, Any] = {
            f"{name}/{part}": values for name, rows in found.items() for part, values in rows._asdict().items()
        }
        np.savez(file, **arrays)
    with np.load(file) as stored:
        names = dict.fromkeys(key.split("/")[0] for key in stored)
        return {name: Rows(*(stored[f"{name}/{part}"] for part in Rows._fields)) for name in names}


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order].astype(np.float32), y[order].astype(np.int64)
    return Rows(X[:1000], y[:1000], X[1000:], y[1000:])


def _pictures(assets: Path, cache: Path) -> Iterator[tuple[str, Rows]]:
    import frostline
    from frostline.stages.store import load, open_set

    folder = _unpacked(assets / "cifar10-jpg.tar.gz", cache / "cifar10")
    for name, how in ENCODERS.items():
        own: dict[str, Any] = {"dataset": f"folder:{folder}", "data_dir": cache / "workspace", "precision": "fp32"}
        own |= {"resize": how["size"], "crop": how["size"]} if "size" in how else {}
        own |= {"weights": str(assets / how["weights"])} if "weights" in how else {}
        found = frostline.extract(frostline.Settings(backbone=how["backbone"], **own))
        train, test = (load(open_set(one.folder)) for one in found)
        yield name, Rows(train.X[:], train.y, test.X[:], test.y)


def _unpacked(archive: Path, folder: Path) -> Path:
    if not folder.exists():
        with tarfile.open(archive) as opened:
            wanted = (one for one in opened if one.isfile() and int(Path(one.name).stem) < OF_EACH)
            opened.extractall(folder, wanted, filter="data")
    return folder


def _questions(text: Path) -> Rows:
    import torch
    from transformers import AutoModel, AutoTokenizer

    with (text / "trec6" / "trec6.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    place = text / "all-MiniLM-L6-v2"
    tokenizer, network = AutoTokenizer.from_pretrained(place), AutoModel.from_pretrained(place).eval()
    parts = []
    for start in range(0, len(table), 64):
        given = tokenizer([row["text"] for row in table[start : start + 64]], padding=True, return_tensors="pt")
        with torch.inference_mode():
            tokens, mask = network(**given).last_hidden_state, given["attention_mask"][..., None]
        mean = (tokens * mask).sum(1) / mask.sum(1)
        parts.append(torch.nn.functional.normalize(mean).numpy())
    X, y = np.concatenate(parts), np.unique([row["label"] for row in table], return_inverse=True)[1]
    test = np.array([row["split"] == "test" for row in table])
    return Rows(X[~test], y[~test], X[test], y[test])
