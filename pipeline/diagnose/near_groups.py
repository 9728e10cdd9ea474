"""Samples that are one picture, or nearly, as groups: a file for ``--group-file``, which keeps them on one side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from frostline.pipeline.records.findings import Findings
from frostline.stages.store import write_atomic


def near_groups(found: Findings) -> list[tuple[str, ...]]:
    """Return the ids of samples that are joined by copies and near duplicates, two or more a group, each sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = list(_pairs(found))
    if not pairs:
        return []
    ids, place = np.unique(np.array(pairs, object).ravel(), return_inverse=True)
    first, second = place.reshape(-1, 2).T
    joined = coo_array((np.ones(len(pairs), np.int8), (first, second)), shape=(len(ids), len(ids)))
    count, group = connected_components(joined, directed=False)
    return [tuple(ids[group == one].tolist()) for one in range(count)]


def _pairs(found: Findings) -> Iterator[tuple[str, str]]:
    for copies in found.copies:
        yield from pairwise((*copies.train, *copies.test))
    near = found.near_duplicates
    for pair in (*near.train, *near.test, *near.across):
        yield pair.id, pair.nearest


def write_groups(found: Findings, file: Path) -> int:
    """Write a table with the columns path and group, of the samples that share a group; return how many groups."""
    groups = near_groups(found)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "group"])
    rows.writerows((sample, number) for number, group in enumerate(groups) for sample in group)
    write_atomic(file, text.getvalue().encode(errors="surrogateescape"))
    return len(groups)
