"""Each step of taking over a set of format 1 goes wrong in each way: every row stays readable, the next try ends it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from faults.children import Child
from faults.counts import Points
from faults.layer import ERRORS, Act, Layer, at, chosen, half_and_kill, kill
from faults.work import contents, samples, work
from frostline.stages.errors import StoreError
from frostline.stages.store import FeatureStore
from frostline.stages.store.format_1 import is_old, take_over
from frostline.stages.store.targets import target_file
from support.old_format import in_format_1

SOME = samples()


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one set of format 1, three shards."""
    root = tmp_path_factory.mktemp("old")
    in_format_1(work(root), SOME)
    return root


@pytest.fixture(scope="module")
def undisturbed(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Layer:
    layer = Layer(copied(old, tmp_path_factory.mktemp("undisturbed")))
    taken_over(layer)
    return layer


@pytest.fixture(scope="module")
def wanted(undisturbed: Layer) -> dict[str, bytes]:
    return contents(undisturbed.root)


def copied(old: Path, into: Path) -> Path:
    shutil.copytree(old, into, dirs_exist_ok=True)
    return into


def taken_over(layer: Layer, _tell: Callable[[str], object] = str) -> None:
    store = FeatureStore(layer.root / "features")
    with layer.installed():
        for one in filter(is_old, store.sets()):
            take_over(one, store, SOME.content, target_file(SOME.targets, SOME.ids))


def rows_left(root: Path) -> set[bytes]:
    """Return the features of every row that a committed shard of either set still gives, ids with them."""
    found: set[bytes] = set()
    for one in FeatureStore(root / "features").sets():
        for shard in sorted(set(one.shards) - set(one.missing())):
            content = one.read(shard)
            found |= {name.tobytes() + row.tobytes() for name, row in zip(content.ids, content.features, strict=True)}
    return found


def test_the_end_is_one_set_of_format_2_with_every_row(old: Path, undisturbed: Layer) -> None:
    (one,) = FeatureStore(undisturbed.root / "features").sets()
    assert not is_old(one) and one.published and len(undisturbed.calls) > 60
    assert rows_left(undisturbed.root) == rows_left(old) and len(rows_left(old)) == len(SOME)
    assert np.array_equal(one.targets().values, SOME.targets.values)


@pytest.mark.parametrize("act", [kill, half_and_kill])
def test_a_kill_at_any_step_loses_no_row_and_the_next_try_ends_the_same(
    old: Path, undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path, act: Act, campaign: bool, points: Points
) -> None:
    every = rows_left(old)
    for k in chosen(undisturbed, act)[:: 1 if campaign else 7]:
        layer = Layer(copied(old, tmp_path / str(k)), at(k, act))
        assert Child(partial(taken_over, layer)).wait() == -signal.SIGKILL
        assert rows_left(layer.root) == every, f"at step {k}"
        taken_over(Layer(layer.root))
        assert contents(layer.root) == wanted, f"at step {k}"
        points.add("taking over: kills at a step")


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_the_system_at_any_step_loses_no_row_and_the_next_try_ends_the_same(
    old: Path, undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path, name: str, campaign: bool, points: Points
) -> None:
    when, act = ERRORS[name]
    every = rows_left(old)
    for k in chosen(undisturbed, act)[:: 1 if campaign else 7]:
        layer = Layer(copied(old, tmp_path / str(k)), when(k, act))
        try:
            taken_over(layer)
        except StoreError as error:
            assert "run again" in str(error), f"at step {k}"
        assert rows_left(layer.root) == every, f"at step {k}"
        taken_over(Layer(layer.root))
        assert contents(layer.root) == wanted, f"at step {k}"
        points.add("taking over: errors at a step")
