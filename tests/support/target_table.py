"""A table of small pictures with targets of every kind, for tests of commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.cli.main import main
from support.pictures import paint

COLUMNS = ("path", "split", "label", "tags", "redness", "greenness", "warm", "blue", "shade", "patient")
PIXELS = ("--backbone", "pixels", "--resize", "8x8", "--device", "cpu")


def pictures_table(folder: Path, n: int = 60) -> Path:
    """Write n pictures of three colours below a folder, and ``all.csv`` with their targets; a fifth is for testing."""
    rows = []
    for i in range(n):
        colour = i % 3
        paint(folder / "pictures" / f"{i:02d}.png", colour, i)
        amounts = [f"{100.5 * (colour == which) + i % 7:.2f}" for which in (0, 1)]
        flags = [str(int(colour != 2)), "" if i % 11 == 5 else str(int(colour == 2))]
        split, shade = ("test" if i // 3 % 5 == 4 else "train"), ("dark", "light")[colour == 0]
        tags = ("warm|red", "warm", "cold")[colour]
        rows.append([f"pictures/{i:02d}.png", split, "rgb"[colour], tags, *amounts, *flags, shade, f"p{i // 3}"])
    return written(folder / "all.csv", rows)


def written(file: Path, rows: list[list[str]]) -> Path:
    """Write a table's rows under its columns."""
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    return file


def rows_of(file: Path) -> list[list[str]]:
    """Return a table's rows without their columns' names."""
    with file.open(newline="") as stream:
        return list(csv.reader(stream))[1:]


def answer(capsys: pytest.CaptureFixture[str], command: str, file: Path, *more: str, code: int = 0) -> Any:
    """Return the JSON that a command on a table's pixels prints, once its exit code is the one that is wanted."""
    assert main([command, "--dataset", f"csv:{file}", *PIXELS, *more, "--json"]) == code
    return json.loads(capsys.readouterr().out)
