"""What the tests of commands share: flags, and damage."""

from __future__ import annotations

from pathlib import Path

BACKBONE = ["--backbone", "resnet8-cifar10"]
HEAD = ["--grid", "C=0.1,1"]


def flip(path: Path) -> None:
    sound = path.read_bytes()
    path.write_bytes(sound[:5] + bytes([sound[5] ^ 1]) + sound[6:])
