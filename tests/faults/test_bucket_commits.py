"""Writers of one shard in a bucket, one in the middle of another, in the middle of a third, from each state of it.

Every order of whole requests is tried in which each writer begins while the one before it is at work.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from faults.bucket import Request, Requests, machine, no_fault
from faults.counts import Points
from faults.test_bucket import OtherVersion
from faults.work import samples, work
from faults.wrong_commits import loser_deletes_its_own, put_over
from frostline.pipeline.steps.features import drop
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed, unsealed
from frostline.stages.store import FeatureSet, Layout, Shard
from frostline.stages.store.places import bucket
from frostline.stages.store.places.bucket import BucketPlace

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
ONE = samples(range(3))
STATES = ("empty", "committed", "a damaged record", "another shard's record", "an object lost", "an object damaged")
ACTIONS = ("commit a", "commit b", "mend a", "mend b")


@dataclass(frozen=True)
class Versions:
    """The shard as two versions compute it, and the folder's name of its set."""

    content: dict[str, Shard]
    layout: Layout
    name: str


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    root = tmp_path_factory.mktemp("versions")
    ours, theirs = work(root / "a", some=ONE), work(root / "b", some=ONE, network=OtherVersion())
    return Versions({"a": ours.read(0), "b": theirs.read(0)}, ours.layout, ours.folder.name)


class Shop:
    """A bucket with one shard in some state, and the machines that work on it."""

    def __init__(self, versions: Versions, state: str, root: Path) -> None:
        self.versions, self.root = versions, root
        self.bucket = Requests()
        self.machines = 0
        with machine(root / "begins"):
            features = self.opened()
            if state != "empty":
                features.commit(0, versions.content["b"])
        self._spoil(state)
        self.bucket.committed.clear()
        self.bucket.wrong.clear()
        self.bucket.look()
        self.bucket.wrong.clear()

    def does(self, action: str) -> None:
        """Another machine commits the shard, or looks for damage and mends it."""
        what, _, version = action.partition(" ")
        self.machines += 1
        with machine(self.root / str(self.machines)), suppress(StoreError):
            features = self.opened()
            if what == "mend":
                for one in features.damaged():
                    drop(features, one)
            if what == "commit" or features.missing():
                features.commit(0, self.versions.content[version])

    def opened(self) -> FeatureSet:
        return FeatureSet(Path(f"{self.bucket.address}/features/{self.versions.name}"), self.versions.layout)

    def is_right(self) -> bool:
        """Whether nothing was lost at any time, and mended once more the shard is there, of one version."""
        self.bucket.fault = no_fault
        self.does("mend a")
        with machine(self.root / "reads"):
            found = self.opened().read(0).features.tobytes()
        return not self.bucket.wrong and found in {one.features.tobytes() for one in self.versions.content.values()}

    def _spoil(self, state: str) -> None:
        store, keys = self.bucket.memory.store, [key for key in self.bucket.memory.names() if "/shards/" in key]
        for key in keys:
            data, is_record = self.bucket.memory.read(key), key.endswith(".json")
            if state == "a damaged record" and is_record:
                store.put(key, data[:-9] + b"\0" + data[-8:])
            elif state == "another shard's record" and is_record:
                store.put(key, sealed({**unsealed(data), "start": 3}))
            elif state == "an object lost" and not is_record:
                store.delete(key)
            elif state == "an object damaged" and not is_record:
                store.put(key, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])


def interrupted(shop: Shop, actions: tuple[str, ...], at: tuple[int, ...]) -> list[str]:
    """Do the first action; before its request ``at[0]`` for the shard the next is done, interrupted in turn.

    Return the kinds of the requests that were interrupted: one for each of ``at``, unless an action made too few.
    """
    count, kinds = 0, list[str]()

    def fault(request: Request) -> Any:
        nonlocal count
        count += "/shards" in request.key
        if at and not kinds and count == at[0] + 1:
            kinds.extend([request.kind, *interrupted(shop, actions[1:], at[1:])])
            shop.bucket.fault = no_fault
        return request.ask()

    shop.bucket.fault = fault
    shop.does(actions[0])
    return kinds


def orders(depth: int, tried: Callable[[tuple[int, ...]], int]) -> None:
    """Try all requests to interrupt at; ``tried`` tells how many of them there were."""
    at = [0] * depth
    while True:
        there = tried(tuple(at))
        if there < depth:  # action ``there`` made too few requests: on with the one before it
            if not there:
                return
            at[there:] = [0] * (depth - there)
            at[there - 1] += 1
        else:
            at[-1] += 1


def failing(
    versions: Versions, state: str, actions: tuple[str, ...], root: Path, count: Callable[[bool], None]
) -> list[str]:
    """Return what was wrong in which order of the requests of these actions; ``count`` is told of each order.

    Two that mend the same damage in the same moment may both do it, one after the other. Nothing else may be lost.
    """
    wrong: list[str] = []

    def tried(at: tuple[int, ...]) -> int:
        here = root / "-".join(map(str, (*actions, *at)))
        shop = Shop(versions, state, here)
        kinds = interrupted(shop, actions, at)
        twice = bool(shop.bucket.redone)
        if not shop.is_right() or (twice and "list" in kinds):
            wrong.append(f"{actions} at {at}: {shop.bucket.wrong} {shop.bucket.redone} {kinds}")
        shutil.rmtree(here)
        count(twice)
        return len(kinds)

    orders(len(actions) - 1, tried)
    return wrong


@pytest.mark.parametrize("state", STATES)
def test_no_order_of_requests_loses_what_was_committed(
    versions: Versions, tmp_path: Path, campaign: bool, points: Points, state: str
) -> None:
    for n in (2, 3) if campaign else (2,):

        def count(twice: bool, n: int = n) -> None:
            points.add(f"bucket: orders of {n} writers of a shard")
            points.add(f"bucket: orders of {n} in which a shard was mended twice", twice)

        for actions in product(ACTIONS[:: 1 if campaign else 2], *[ACTIONS] * (n - 1)):
            assert not failing(versions, state, actions, tmp_path, count)


MUTATIONS: dict[str, tuple[object, str, object, str, tuple[str, ...]]] = {
    "a writer that comes second removes its object": (
        BucketPlace,
        "commit",
        loser_deletes_its_own,
        "an object damaged",
        ("commit a", "mend a"),
    ),
    "a record is mended whatever it is by then": (
        bucket,
        "replace",
        put_over,
        "a damaged record",
        ("commit a", "commit b"),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_orders_notice_when(versions: Versions, tmp_path: Path, name: str) -> None:
    where, method, instead, state, actions = MUTATIONS[name]
    assert not failing(versions, state, actions, tmp_path, bool)
    with patch.object(where, method, instead):
        assert failing(versions, state, actions, tmp_path, bool)


def test_who_found_a_shard_damaged_leaves_it_where_another_has_mended_it(versions: Versions, tmp_path: Path) -> None:
    shop = Shop(versions, "an object damaged", tmp_path)
    with machine(tmp_path / "slow"):
        features = shop.opened()
        (found,) = features.damaged()
    shop.does("mend a")
    with machine(tmp_path / "slow"):
        drop(features, found)
    assert shop.is_right() and not shop.bucket.redone
