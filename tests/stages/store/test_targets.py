"""Targets on disk: what is written is read again, groups too."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.stages.errors import StoreError
from frostline.stages.store.targets import keep_targets, read_targets, target_file
from frostline.stages.targets.values import Targets

IDS = ("a", "b", "c")
GROUPED = Targets(("x", "y"), np.array([[1, 0], [-1, 1], [0, 0]], np.int8), "multi-label", "tags", np.array([0, 0, 1]))


@pytest.mark.parametrize(
    "targets",
    [
        GROUPED,
        Targets(("x",), np.array([[1.5], [np.nan], [-2.0]]), "regression", "x", np.array([0, 1, 0])),
        Targets(("x", "y"), np.array([0, 1, 1])),
    ],
)
def test_targets_are_read_as_they_were_kept(tmp_path: Path, targets: Targets) -> None:
    found = read_targets(keep_targets(tmp_path, "set-test", targets, IDS))
    assert found.ids == IDS and found.targets.names == targets.names and found.targets.kind == targets.kind
    assert np.array_equal(found.targets.values, targets.values, equal_nan=targets.values.dtype.kind == "f")
    if targets.groups is None:
        assert found.targets.groups is None
    else:
        assert found.targets.groups is not None and found.targets.groups.tolist() == targets.groups.tolist()


def test_groups_of_another_number_of_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    path.write_bytes(target_file(GROUPED, IDS))
    with h5py.File(path, "r+") as file:
        del file["groups"]
        file["groups"] = np.array([1, 2])
    with pytest.raises(StoreError, match="damaged"):
        read_targets(path)
