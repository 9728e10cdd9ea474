"""What a transformer is given, as samples: images, texts and recordings in memory, or the paths of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.families.registry import family_of
from frostline.stages.datasets import ALL, Samples
from frostline.stages.datasets.objects.columns import values_of
from frostline.stages.datasets.objects.media import Media, Values, media_samples
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.targets.values import unlabelled

NAME = "samples"
"""What their feature sets are called."""


def modality_for(backbone: str, asked: str) -> str:
    """Return the modality of a backbone's samples: the one that is asked for, else its family's, else images."""
    family, name = family_of(backbone)
    return asked or family.taken_by(name) or IMAGE


def samples_of(X: Any, modality: str) -> Samples:
    """Return samples of a modality, called by their paths or numbers; what files hold is read again later.

    ``X``: a list, an array or a series of PIL images, uint8 arrays (h, w, 3), ``(samples, rate)`` or bytes of files; of
    ``str``, which are texts where texts are taken, and else paths; or of ``Path``. Raises DataError that lists what
    can't be read, and for anything else.
    """
    values = [_with_path(value, modality) for value in listed(X)]
    names = [
        value["path"] if isinstance(value, dict) and value.get("path") else f"sample {at}"
        for at, value in enumerate(values)
    ]
    samples = media_samples(NAME, Media(values, modality), unlabelled(len(values)), names, {}, None)
    if samples.problems:
        lines = [f"{samples.ids[row]}: {why}" for row, why in sorted(samples.problems.items())]
        noun = MODALITIES.load(modality).noun
        raise DataError(f"{counted(len(lines), noun)} of {len(values):,} can't be read:\n{listing(lines)}")
    return samples


def alike(samples: Samples) -> Iterator[tuple[NDArray[np.int64], Samples]]:
    """Yield the samples in parts that one decoder reads, whose version is in their key; with their rows.

    Nearly always there is one part: only such files as AVIF are decoded by a library of their own.
    """
    codec = np.array([samples.codecs.get(row, "") for row in range(len(samples))])
    for one in np.unique(codec):
        rows = np.flatnonzero(codec == one)
        yield rows, samples.take(rows, ALL)


def listed(X: Any) -> Values:
    """Return samples as a sequence. Raises DataError for what is none, and for none."""
    if isinstance(X, str | bytes | Path) or not hasattr(X, "__len__"):
        raise DataError(f"got {type(X).__name__}; expected a list, an array or a series of samples")
    if hasattr(X, "columns") and len(X.columns) == 1:
        return listed(X[X.columns[0]])
    if hasattr(X, "columns"):
        raise DataError(f"got a frame of {counted(len(X.columns), 'column')}; expected one column, such as X['path']")
    values = values_of(X[:, 0] if _is_column(X) else X)
    if not len(values):
        raise DataError("got 0 samples; expected one or more")
    return values


def _is_column(X: Any) -> bool:
    """Whether it is an array (n, 1) of objects or strings, as transformers of columns are given."""
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUST"


def _name(value: Any, at: int) -> str:
    path = value.get("path") if isinstance(value, Mapping) else None
    return path or f"sample {at}"


def _with_path(value: Any, modality: str) -> Any:
    """Return a value with the name of a file as the place that holds its bytes."""
    if isinstance(value, Path) or (isinstance(value, str) and modality != TEXT):
        return {"bytes": None, "path": str(Path(value).expanduser())}
    return value
