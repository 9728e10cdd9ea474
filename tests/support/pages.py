"""Runs on small images of a test's own, and their pages taken apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart; its tags must nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.style = "", ""
        self._open: list[str] = []
        self.feed(self.source)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data.replace("\u00a0", " ")

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def sections(self) -> set[str]:
        return {section["id"] for section in self.all("section")}


def photographs(root: Path, rows: Sequence[tuple[str, str]], spread: int = 150) -> Path:
    """Write a CSV of (label, split) and one small image for each row, whose colours give the label away."""
    names = sorted({label for label, _ in rows})
    (root / "images").mkdir(parents=True, exist_ok=True)
    table = root / "samples.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for i, (label, split) in enumerate(rows):
            noise = np.random.default_rng(i).integers(0, 70, (8, 8, 3))
            noise += np.random.default_rng(10_000 + names.index(label)).integers(0, spread, (8, 8, 3))
            Image.fromarray(noise.astype(np.uint8)).save(root / "images" / f"{i}.png")
            writer.writerow([f"images/{i}.png", label, split])
    return table


def made(table: Path, **settings: Any) -> Path:
    """Run on a CSV's pixels and return the run's folder."""
    usual = {"backbone": "pixels", "resize": (8, 8), "head": ("centroid",), "data_dir": table.parent / "data"}
    return run(Settings(**{**usual, "dataset": f"csv:{table}", **settings})).path.parent


def balanced(classes: Sequence[str], train: int = 4, test: int = 3) -> list[tuple[str, str]]:
    return [(name, split) for split, n in (("train", train), ("test", test)) for name in classes for _ in range(n)]


def many_targets(root: Path, rows: int = 90, subjects: int = 0) -> Path:
    """Write a CSV of small images with several labels, two numbers that their pixels give away, and a subject.

    A third of the rows are for testing. Of the second label and of the second number some values are not known.
    """
    rng = np.random.default_rng(7)
    (root / "images").mkdir(parents=True, exist_ok=True)
    table = root / "samples.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "tags", "sunny", "wet", "size", "age", "subject"])
        for i in range(rows):
            split, own = ("test" if i % 3 == 2 else "train"), rng.integers(0, 2, 3)
            size, age = rng.uniform(0, 100, 2)
            writer.writerow(
                [
                    *(_labelled_image(root, i, own, size, rng), split),
                    ";".join(name for name, has in zip(("sun", "rain", "<b>wind</b>"), own, strict=True) if has),
                    *(own[0], "" if i % 7 == 0 else own[1]),
                    *(f"{size:.3f}", "" if i % 10 == 5 else f"{age:.1f}"),
                    f"s{(i // 3) % subjects}{split}" if subjects else "",
                ]
            )
    return table


def _labelled_image(root: Path, i: int, own: NDArray[np.int64], size: float, rng: np.random.Generator) -> str:
    pixels = rng.integers(0, 90, (8, 8, 3))
    pixels[:2] += 60 * own[0]
    pixels[2:4] += 60 * own[1]
    pixels[4:] += int(size)
    Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / f"{i}.png")
    return f"images/{i}.png"
