"""A batch that takes too much memory is halved, and the work goes on; how rows are computed is found out and kept."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings, in_turn, parts
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.errors import ConfigError
from frostline.stages.extract.extraction import extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import rows_of
from frostline.stages.store import load
from support.extraction import begin, job, tiny_backbone


@pytest.fixture(scope="module")
def samples() -> Samples:
    return open_dataset("digits").test


class Narrow:
    """The backbone, on a device with room for three images."""

    def __init__(self, error: type[Exception] = torch.OutOfMemoryError, most: int = 3) -> None:
        self.backbone, self.error, self.most = tiny_backbone(), error, most
        self.spec, self.width, self.raw = self.backbone.spec, self.backbone.width, self.backbone.raw
        self.sizes: list[int] = []

    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        self.sizes.append(rows_of(batch))
        if rows_of(batch) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
        return self.backbone.embed(batch)

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
        return in_turn(self.embed, batches, limit)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_a_batch_that_takes_too_much_memory_is_halved_until_it_does_not(
    tmp_path: Path, samples: Samples, error: type[Exception]
) -> None:
    said: list[tuple[int, str]] = []
    narrow, features = Narrow(error), begin(tmp_path / "narrow", samples)
    how = {"backbone": narrow, "on_halved": lambda *what: said.append(what)}
    stats = extract(dataclasses.replace(job(samples, features), **how))
    first = "CUDA out of memory. Tried to allocate 2.00 GiB."
    assert said == [(8, first), (4, first), (2, first)] and stats.batch_size == 2
    assert narrow.sizes[:4] == [16, 8, 4, 2] and set(narrow.sizes[4:]) == {2}  # what failed is not tried again
    small = begin(tmp_path / "small", samples)
    extract(dataclasses.replace(job(samples, small), batch_size=2))
    assert np.array_equal(load(features).X, load(small).X)


def test_where_one_image_takes_too_much_it_is_said(tmp_path: Path, samples: Samples) -> None:
    features = begin(tmp_path, samples)
    with pytest.raises(ConfigError, match=r"not enough memory for a batch of 1 image \(CUDA out of memory\. .*GiB\.\)"):
        extract(dataclasses.replace(job(samples, features), backbone=Narrow(most=0)))


def test_any_other_error_of_a_network_is_its_own(tmp_path: Path, samples: Samples) -> None:
    class Odd(Narrow):
        def embed(self, batch: Arrays) -> NDArray[np.float32]:
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        extract(dataclasses.replace(job(samples, begin(tmp_path, samples)), backbone=Odd()))


@pytest.mark.parametrize(("images", "at_once"), [(16, 16), (16, 8), (7, 3), (7, 1), (5, 8)])
def test_parts_are_of_one_size_and_hold_every_image(images: int, at_once: int) -> None:
    pixels = np.arange(1, images + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    cut = [part["pixels"] for part in parts({"pixels": pixels}, at_once)]
    assert {len(part) for part in cut} == {min(images, at_once)}
    assert np.array_equal(np.concatenate(cut)[:images], pixels) and not np.concatenate(cut)[images:].any()


HUNGRY = """
import torch
from torch import nn

class Hungry(nn.Module):
    '''Takes 300 MB for each image, for a moment.'''
    def forward(self, x):
        torch.empty(len(x), 300_000_000, dtype=torch.uint8)
        return x.mean((2, 3))

def net():
    return nn.Sequential(Hungry(), nn.Linear(3, 10))
"""


def test_a_real_lack_of_memory_halves_the_batch_of_a_real_command(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY)
    flags = [
        "--backbone",
        "hungry.py:net",
        "--weights",
        "factory",
        "--resize",
        "8x8",
        "--mean",
        "0",
        "--std",
        "1",
        "--json",
    ]
    arguments = ["extract", "--dataset", f"folder:{folder}", "--precision", "fp32", *flags]
    code = f"""
import resource, sys, torch, h5py, torchvision
from frostline.pipeline.cli.main import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 3_500_000_000, -1))
sys.exit(main({arguments!r}))
"""
    environment = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "not enough memory for 16 images at once" in ran.stderr
    train, test = json.loads(ran.stdout)
    assert train["rows"] == 36 and all(one["pace"]["batch_size"] < 16 for one in (train, test))
    record = next((tmp_path / "data").glob("features/*-train-*/speed.json"))
    assert json.loads(record.read_text())["batch_size"] == train["pace"]["batch_size"]
