"""Rows on disk that do not fit in memory, whatever goes wrong at any step: no row is wrong, no file stays."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faults.children import Child
from faults.counts import Points
from faults.layer import ERRORS, Act, Layer, at, chosen, half, half_and_kill, kill
from faults.work import work
from frostline.pipeline.maintain.inventory import garbage, remove
from frostline.stages.errors import StoreError
from frostline.stages.store import FeatureSet, RowFile, load

Rows = NDArray[np.float32]


@pytest.fixture(params=["without a name", "named until it is open"])
def features(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSet:
    """A set whose rows are put on disk by a file system that has files without names, or has not."""
    monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", request.param == "without a name")
    return work(tmp_path)


def on_disk(features: FeatureSet, layer: Layer) -> Rows:
    with layer.installed():
        rows = load(features, in_memory=0).X
        assert isinstance(rows, RowFile)
        return rows[:]


def inside(features: FeatureSet, layer: Layer, tell: Callable[[str], object]) -> None:
    on_disk(features, layer)


def files(features: FeatureSet) -> set[Path]:
    return {path for path in features.folder.rglob("*") if path.is_file()}


@pytest.fixture
def undisturbed(features: FeatureSet) -> Layer:
    layer = Layer(features.folder)
    np.testing.assert_array_equal(on_disk(features, layer), load(features).X)
    assert layer.calls.count("write") == len(features.shards)
    return layer


@pytest.mark.parametrize("act", [kill, half_and_kill])
def test_a_kill_at_any_step_leaves_no_file_that_is_not_tidied(
    features: FeatureSet, undisturbed: Layer, act: Act, points: Points
) -> None:
    before = files(features)
    for k in chosen(undisturbed, act):
        child = Child(partial(inside, features, Layer(features.folder, at(k, act))))
        assert child.wait() == -signal.SIGKILL
        remove(garbage(features.folder.parents[1]))
        assert files(features) == before, f"at step {k}"
        points.add("rows on disk: kills at a step")


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_at_any_step_is_explained_and_leaves_nothing(
    features: FeatureSet, undisturbed: Layer, name: str, campaign: bool, points: Points
) -> None:
    before, wanted, (when, act) = files(features), load(features).X, ERRORS[name]
    for k in chosen(undisturbed, act)[:: 1 if campaign else 5]:
        handles = len(os.listdir("/proc/self/fd"))
        try:
            np.testing.assert_array_equal(on_disk(features, Layer(features.folder, when(k, act))), wanted)
        except StoreError as error:
            assert "run again" in str(error), f"at step {k}"
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == handles, f"at step {k}"
        remove(garbage(features.folder.parents[1]))
        assert files(features) == before, f"at step {k}"
        points.add("rows on disk: errors at a step")


def test_a_write_that_takes_half_is_gone_on_with(features: FeatureSet, undisturbed: Layer, points: Points) -> None:
    wanted = load(features).X
    for k in chosen(undisturbed, half):
        np.testing.assert_array_equal(on_disk(features, Layer(features.folder, at(k, half))), wanted)
        points.add("rows on disk: short writes")
