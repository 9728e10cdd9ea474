"""Targets are known by a digest of what they say, not of what they are called; groups are part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.stages.errors import StoreError
from frostline.stages.store.targets import keep_targets, read_targets, target_file
from frostline.stages.targets.values import Targets, in_order

IDS = ["a.png", "b.png", "c.png"]
SINGLE = Targets(("cat", "dog"), np.array([0, 1, 0]))
KINDS = {
    "single": SINGLE,
    "multi": Targets(("red", "big"), np.array([[1, 0], [-1, 1], [0, 0]], np.int8), "multi-label", "tags"),
    "groups": replace(SINGLE, groups=np.array([7, 2, 7])),
    "numbers": Targets(("age",), np.array([[1.5], [np.nan], [-2.0]]), "regression", "age"),
}


def test_what_targets_are_called_is_not_in_their_digest() -> None:
    assert replace(SINGLE, column="species").digest(IDS) == SINGLE.digest(IDS)


@pytest.mark.parametrize(
    "other",
    [
        replace(SINGLE, values=np.array([0, 1, 1])),
        replace(SINGLE, names=("dog", "cat")),
        replace(SINGLE, kind="multi-label"),
        replace(SINGLE, groups=np.array([0, 0, 1])),
    ],
)
def test_values_names_kind_and_groups_are(other: Targets) -> None:
    assert other.digest(IDS) != SINGLE.digest(IDS)
    assert SINGLE.digest(["x.png", *IDS[1:]]) != SINGLE.digest(IDS)


def test_how_groups_are_numbered_is_not() -> None:
    one, other = (replace(SINGLE, groups=np.array(groups)) for groups in ([5, 5, 2], [0, 0, 9]))
    assert one.digest(IDS) == other.digest(IDS)
    assert in_order(np.array([7, 3, 7, 1])).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_targets_reads_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    targets = KINDS[name]
    path = keep_targets(tmp_path / "targets", "some", targets, IDS)
    found = read_targets(path)
    assert path.name == f"some-{targets.digest(IDS)[:12]}.h5" and found.ids == tuple(IDS)
    assert (found.targets.names, found.targets.kind, found.targets.column) == (
        targets.names,
        targets.kind,
        targets.column,
    )
    np.testing.assert_array_equal(found.targets.values, targets.values)
    assert (found.targets.groups is None) == (targets.groups is None) and found.digest == targets.digest(IDS)
    assert found.targets.values.dtype == targets.values.dtype and path.read_bytes() == target_file(targets, IDS)


def test_a_file_of_targets_that_is_damaged_or_points_elsewhere_is_refused(tmp_path: Path) -> None:
    path = keep_targets(tmp_path, "some", SINGLE, IDS)
    sound = path.read_bytes()
    for position in range(0, len(sound), 97):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ 1]) + sound[position + 1 :])
        try:
            assert read_targets(path).targets.values.tolist() == [0, 1, 0]  # a bit that means nothing
        except StoreError as error:
            assert path.name in str(error)
    with h5py.File(path, "w") as file:
        file.attrs.update({"kind": "single-label", "column": "label", "digest": ""})
        file["labels"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
        file["ids"], file["names"] = np.array([b"a"]), np.array([b"cat"])
    with pytest.raises(StoreError, match="is a link"):
        read_targets(path)
