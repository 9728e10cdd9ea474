"""Learning curves that are remembered: a bench that was interrupted draws none of them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.validated import validated
from frostline.pipeline.settings import Draw
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.heads import HeadSpec, spec_fields
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.records.sealed import digest, sealed
from frostline.stages.store import make_folder, write_atomic


def curve_of(folder: Path, keys: Sequence[str], spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> Curve:
    """Return a head's learning curve on features of these digests: remembered in a folder, or drawn and kept there."""
    path = folder / f"{digest([keys, spec_fields(spec), draw.fields])[:16]}.json"
    found = _remembered(path)
    if found is None:
        found = drawn_curve(spec, draw, loaded)
        make_folder(folder)
        write_atomic(path, sealed(asdict(found)))
    return found


def _remembered(path: Path) -> Curve | None:
    try:
        return validated(Curve, read_sealed(path))
    except (OSError, ValueError):
        return None
