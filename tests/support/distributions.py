"""Distributions laid out as pip would, for tests of the doors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frostline.stages.backbones.families import registry
from frostline.stages.plugins import Door

CLOSER = '''
"""A linear head: class means, the nearer the better; W = 2 s m, b = -s |m|^2."""

import numpy as np

from frostline.stages.heads import Kind, LinearPath

KIND = Kind("closer:Solver", "sharpness", (0.5, 1.0, 2.0), 1.0)


class Solver:
    def __init__(self, X, y, classes, *, shift: float = 0.0):
        if not isinstance(shift, (int, float)):
            raise ValueError(f"shift {shift!r}; expected a number")
        self.X, self.y, self.classes, self.shift = X.astype(np.float64), y, classes, shift

    def fit(self, grid, row_weights):
        onehot = np.eye(self.classes)[:, self.y] * row_weights
        means = onehot @ self.X / np.maximum(onehot.sum(1), 1e-9)[:, None] + self.shift
        weight = np.stack([2 * value * means for value in grid])
        bias = np.stack([-value * (means**2).sum(1) for value in grid])
        return LinearPath(weight, bias, np.ones(len(grid), bool), np.ones(len(grid), np.int64))
'''

KERNELS = '''
"""A head that is not linear: a Gaussian kernel around each training row."""

from dataclasses import dataclass

import numpy as np

from frostline.stages.heads import Kind, Stored

KIND = Kind("kernels:Solver", "width", (1.0, 3.0), 1.0, low=0.5, high=9, reader="kernels:read")


@dataclass(frozen=True, eq=False)
class Head:
    rows: np.ndarray
    labels: np.ndarray
    classes: tuple
    spread: float
    probabilistic = True

    @property
    def width(self):
        return self.rows.shape[1]

    def decision_values(self, X):
        apart = ((X[:, None].astype(np.float64) - self.rows) ** 2).sum(-1) / self.rows.shape[1]
        apart -= apart.min(1, keepdims=True)
        votes = np.exp(-apart / self.spread**2) @ np.eye(len(self.classes))[self.labels]
        return votes / votes.sum(1, keepdims=True)

    def stored(self):
        return Stored("kernels", {"spread": self.spread}, {"rows": self.rows, "labels": self.labels})


def read(stored, classes, width):
    return Head(stored.tensors["rows"], stored.tensors["labels"], classes, stored.values["spread"])


@dataclass(frozen=True, eq=False)
class Path:
    rows: np.ndarray
    labels: np.ndarray
    classes: int
    grid: tuple
    probabilistic = True

    @property
    def converged(self):
        return np.ones(len(self.grid), bool)

    @property
    def iterations(self):
        return np.ones(len(self.grid), np.int64)

    def head(self, index, classes):
        return Head(self.rows, self.labels, classes, float(self.grid[index]))

    def decision_values(self, X):
        return np.stack([self.head(i, ("",) * self.classes).decision_values(X) for i in range(len(self.grid))])


class Solver:
    def __init__(self, X, y, classes):
        self.X, self.y, self.classes = X, y, classes

    def fit(self, grid, row_weights):
        used = row_weights > 0
        return Path(self.X[used].astype(np.float32), self.y[used], self.classes, tuple(grid))
'''


def install(site: Path, name: str, group: str, entries: str, code: str = "") -> None:
    """Write one module of a distribution, and its entry points, below a folder of ``sys.path``."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
    (site / f"{name}.py").write_text(code)


FAMILY = """
from frostline.stages.backbones.families.base import Family, LoadedModel
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing


class Mine(Family):
    summary = "tiny networks of mine"
    versions = ("torch", "mine")
    free = True

    def check(self, request, /):
        if request.name not in ("tiny", "liar"):
            raise ConfigError(f"no {request.name!r} among mine; expected tiny or liar")
        if request.weights_file or not self.names_weights(request.weights):
            raise ConfigError(f"no weights {request.weights!r} of mine")

    def fingerprint(self, request, /):
        return ["the first"]

    def load(self, request, /):
        import torch
        from torch import nn

        module = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with torch.no_grad():
            for values in module.parameters():
                values.copy_(torch.linspace(-1, 1, values.numel()).view_as(values))
        width = 7 if request.name == "liar" else 6
        return LoadedModel(module, "f" * 64, Preprocessing((8, 8), None), layer="output", width=width)

    def trusted(self, name, /):
        return self.free

    def names_weights(self, word, /):
        return word in ("DEFAULT", "v1")


class Shy(Mine):
    free = False


MINE, SHY = Mine(), Shy()
"""


def install_family(site: Path) -> None:
    """Lay out a distribution with two families, ``mine`` and, not for heads of strangers, ``shy``."""
    install(site, "mine", "frostline.families", "mine = mine:MINE\nshy = mine:SHY", FAMILY)


@contextmanager
def families_of(site: Path) -> Iterator[None]:
    """Have this process see the families that are installed in a folder."""
    seen = registry.FAMILIES
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setattr(registry, "FAMILIES", Door(seen.kind, seen.group, seen._built_in))
        yield
    sys.modules.pop("mine", None)
