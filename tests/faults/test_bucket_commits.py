"""Writers of one shard in a bucket, one in the middle of another in the middle of a third, from each state of the shard.

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

import pytest

from faults.bucket import Request, Requests, machine, no_fault
from faults.counts import Points
from faults.test_bucket import OtherVersion
from faults.work import samples, work
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed, unsealed
from frostline.stages.store import FeatureSet, Layout, Shard

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
        self.bucket.look()

    def does(self, action: str) -> None:
        """Another machine commits the shard, or looks for damage and mends it."""
        what, _, version = action.partition(" ")
        self.machines += 1
        with machine(self.root / str(self.machines)), suppress(StoreError):
            features = self.opened()
            if what == "mend":
                for one in features.damaged():
                    features.drop(one.shard)
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


def interrupted(shop: Shop, actions: tuple[str, ...], at: tuple[int, ...]) -> bool:
    """Do the first action; before its request ``at[0]`` for the shard the next is done, interrupted in turn.

    Return whether each action made a request of that number.
    """
    count, reached = 0, not at

    def fault(request: Request) -> Any:
        nonlocal count, reached
        count += "/shards" in request.key
        if at and not reached and count == at[0] + 1:
            reached = interrupted(shop, actions[1:], at[1:])
            shop.bucket.fault = no_fault
        return request.ask()

    shop.bucket.fault = fault
    shop.does(actions[0])
    return reached


def places(depth: int, tried: Callable[[tuple[int, ...]], bool]) -> None:
    """Try each place to interrupt at, for each of ``depth`` actions, for as long as there are such requests."""
    if depth == 1:
        k = 0
        while tried((k,)):
            k += 1
        return
    k = 0
    while tried((k, 0)):
        inner = 1
        while tried((k, inner)):
            inner += 1
        k += 1


@pytest.mark.parametrize("state", STATES)
def test_no_order_of_requests_loses_what_was_committed(
    versions: Versions, tmp_path: Path, campaign: bool, points: Points, state: str
) -> None:
    wrong: list[str] = []
    for actions in [*product(ACTIONS, repeat=2), *(product(ACTIONS, repeat=3) if campaign else ())]:

        def tried(at: tuple[int, ...], actions: tuple[str, ...] = actions) -> bool:
            root = tmp_path / "-".join(map(str, (*actions, *at)))
            shop = Shop(versions, state, root)
            reached = interrupted(shop, actions, at)
            if not shop.is_right():
                wrong.append(f"{actions} at {at}: {shop.bucket.wrong}")
            shutil.rmtree(root)
            points.add(f"bucket: orders of {len(actions)} writers of a shard")
            return reached

        places(len(actions) - 1, tried)
    assert not wrong
