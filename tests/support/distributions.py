"""Distributions as pip would lay them out, for what Frostline's doors open to."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, name: str, group: str, entries: str, code: str = "") -> None:
    """Lay a distribution of one module out; ``entries``: of its group of entry points, one a line."""
    (site / f"{name}-1.0.dist-info").mkdir(parents=True)
    (site / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (site / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
    (site / f"{name}.py").write_text(code)
