"""Runs on small images of a test's own, and their pages taken apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frostline.pipeline.run.run import run
from frostline.pipeline.settings.models import Settings

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
