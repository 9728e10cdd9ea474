"""Each request of an extraction into a bucket goes wrong in each way: nothing committed is lost, no row is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faults.bucket import (
    Fault,
    Killed,
    Request,
    Requests,
    at,
    cut_off,
    killed,
    late,
    lost_reply,
    machine,
    no_answer,
    no_fault,
    stale,
    stale_from,
    twice,
)
from faults.counts import Points
from faults.work import ROWS, backbone, image, samples, work
from faults.wrong_commits import last_wins, loser_deletes, no_reading_back, record_first, unnamed_objects
from frostline.pipeline.steps.features import drop
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.errors import DamagedShard, FrostlineError, StoreError, UnreadableSample
from frostline.stages.modalities.base import Arrays
from frostline.stages.store import FeatureSet, load, open_set
from frostline.stages.store.places.bucket import BucketPlace

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
BAD_ROW = 4


def read(row: int) -> Image.Image:
    if row == BAD_ROW:
        raise UnreadableSample("noise")
    return image(row)


SOME = samples(read=read)


class OtherVersion:
    """The backbone as another version computes it: a little different."""

    def __init__(self) -> None:
        self.spec, self.width, self.raw = backbone().spec, backbone().width, backbone().raw

    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        return backbone().embed(batch) + np.float32(1e-3)

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[NDArray[np.float32]]:
        return in_turn(self.embed, batches, limit)


def rows_of(features: FeatureSet) -> list[bytes]:
    """Return each shard's rows."""
    return [features.read(shard).features.tobytes() for shard in features.shards]


@dataclass
class Wanted:
    """What undisturbed runs leave in a folder, their rows by either version, and their requests to a bucket.

    ``seen``: states of the bucket from which an undisturbed run was seen to end well.
    """

    folder: Path
    requests: Requests
    ours: list[bytes]
    theirs: list[bytes]
    every: bool
    seen: set[int] = field(default_factory=set)

    def ends_well(self, bucket: Requests, root: Path, *, mixed: bool = False) -> None:
        """Run again on another machine, undisturbed, and look at everything on a third."""
        assert not bucket.wrong and not bucket.redone
        bucket.fault = no_fault
        here = hash(tuple(sorted(bucket.state().items())))
        if here in self.seen and not self.every:
            return
        self.seen.add(here)
        with machine(root / "resumes"):
            work(Path(bucket.address), some=SOME)
        assert not bucket.wrong and not bucket.redone and len(bucket.committed) == len(self.ours)
        with machine(root / "reads"):
            self._is_right(open_set(f"{bucket.address}/features/{self.folder.name}"), mixed)

    def _is_right(self, features: FeatureSet, mixed: bool) -> None:
        assert features.complete and not features.damaged()
        bad, rows = features.quarantined(), rows_of(features)
        assert [one.row for one in bad] == [BAD_ROW] and len(load(features)) + len(bad) == ROWS
        assert rows == self.ours or (mixed and self.are_rows(dict(enumerate(rows))))
        if not mixed:
            assert load(features).X.tobytes() == load(open_set(self.folder)).X.tobytes()
            assert load(features).ids == load(open_set(self.folder)).ids

    def are_rows(self, rows: dict[int, bytes]) -> bool:
        """Whether each shard is whole, by one version or the other."""
        return all(data in (self.ours[shard], self.theirs[shard]) for shard, data in rows.items())


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, campaign: bool) -> Wanted:
    root = tmp_path_factory.mktemp("wanted")
    here, other = work(root / "ours", some=SOME), work(root / "theirs", some=SOME, network=OtherVersion())
    bucket = Requests()
    with machine(root / "cache"):
        work(Path(bucket.address), some=SOME)
    assert rows_of(here) != rows_of(other)
    return Wanted(here.folder, bucket, rows_of(here), rows_of(other), campaign)


def disturbed(bucket: Requests, root: Path) -> FrostlineError | Killed | None:
    """Run an extraction that may be killed, or end with an error that is explained; return that."""
    with machine(root / "disturbed"):
        try:
            work(Path(bucket.address), some=SOME)
        except (FrostlineError, Killed) as error:
            return error
    return None


FAULTS: dict[str, tuple[str, Callable[[int], Fault]]] = {
    "a request that does not arrive": ("", partial(at, act=no_answer)),
    "a reply that is lost": ("", partial(at, act=lost_reply)),
    "a request that is made twice": ("", partial(at, act=twice)),
    "a request that arrives again later": ("", partial(at, act=late)),
    "a kill before a request": ("", partial(killed, after=False)),
    "a kill after a request": ("", partial(killed, after=True)),
    "an answer cut off": ("get", partial(at, act=cut_off)),
    "a listing that shows nothing new": ("list", partial(at, act=stale(0))),
    "listings that show nothing new from then on": ("list", stale_from),
}
HARMLESS = [FAULTS[name][1] for name in ("a request that is made twice", "a request that arrives again later")]


def points_of(wanted: Wanted, kind: str) -> list[int]:
    return [n for n, (asked, _) in enumerate(wanted.requests.asked) if kind in ("", asked)]


def test_a_run_makes_the_same_requests_each_time_and_leaves_what_a_folder_holds(wanted: Wanted, tmp_path: Path) -> None:
    bucket = Requests()
    disturbed(bucket, tmp_path)
    said = [[(kind, key.rpartition("/probe-")[0] or key) for kind, key in b.asked] for b in (bucket, wanted.requests)]
    assert said[0] == said[1] and {kind for kind, _ in said[0]} == {"list", "put", "create", "get", "delete"}
    assert len(bucket.committed) == len(wanted.ours) == 3 and len(said[0]) > 30
    wanted.ends_well(bucket, tmp_path)


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_with_a_request_nothing_committed_is_lost_and_the_next_run_ends_the_same(
    wanted: Wanted, tmp_path: Path, points: Points, name: str
) -> None:
    kind, fault = FAULTS[name]
    for k in points_of(wanted, kind):
        bucket = Requests(fault(k))
        error = disturbed(bucket, tmp_path / str(k))
        assert isinstance(error, StoreError | Killed | None) and not (error and fault in HARMLESS), f"at {k}: {error}"
        bucket.arrive()
        wanted.ends_well(bucket, tmp_path / str(k))
        points.add(f"bucket: {name}")


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_machine_ends_the_same_with_the_copies_that_it_has(
    wanted: Wanted, tmp_path: Path, points: Points, name: str
) -> None:
    kind, fault = FAULTS[name]
    for k in points_of(wanted, kind)[:: 1 if wanted.every else 4]:
        bucket = Requests(fault(k))
        disturbed(bucket, tmp_path / str(k))
        bucket.fault = no_fault
        with machine(tmp_path / str(k) / "disturbed"):
            features = work(Path(bucket.address), some=SOME)
            assert rows_of(features) == wanted.ours
        assert not bucket.wrong
        points.add(f"bucket, same machine: {name}")


def writes_too(root: Path, network: Any, *, after: bool) -> Callable[[Request], Any]:
    """A second machine does the whole work meanwhile."""

    def act(request: Request) -> Any:
        answer = request.ask() if after else None
        with machine(root / "second"):
            work(Path(request.bucket.address), some=SOME, network=network)
        return answer if after else request.ask()

    return act


@pytest.mark.parametrize("version", ["the same version", "another version"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_second_writer_at_any_request_changes_nothing_that_is_committed(
    wanted: Wanted, tmp_path: Path, points: Points, version: str, when: str
) -> None:
    network = OtherVersion() if version == "another version" else None
    for k in points_of(wanted, "")[:: 1 if wanted.every else 2]:
        bucket = Requests(at(k, writes_too(tmp_path / str(k), network, after=when == "after")))
        disturbed(bucket, tmp_path / str(k))
        wanted.ends_well(bucket, tmp_path / str(k), mixed=network is not None)
        points.add(f"bucket: a second writer of {version}")


class Reader:
    """A machine that lists now and reads later."""

    def __init__(self, wanted: Wanted, bucket: Requests, cache: Path) -> None:
        self.wanted, self.cache = wanted, cache
        with machine(cache):
            self.features = open_set(f"{bucket.address}/features/{wanted.folder.name}")
            self.there = sorted(set(self.features.shards) - set(self.features.missing()))

    def reads(self) -> bool:
        """Whether nothing wrong is read of what was there; that a shard is damaged may be said."""
        found: dict[int, bytes] = {}
        with machine(self.cache):
            for shard in self.there:
                with suppress(DamagedShard):
                    found[shard] = self.features.read(shard).features.tobytes()
        return self.wanted.are_rows(found)


def damaged(wanted: Wanted, root: Path) -> Requests:
    """Return a bucket with a complete set, one bit of one shard flipped."""
    bucket = Requests()
    with machine(root / "made"):
        work(Path(bucket.address), some=SOME)
    key = next(key for key in bucket.memory.names() if "/00001-" in key)
    data = bytearray(bucket.memory.read(key))
    data[len(data) // 2] ^= 1
    bucket.memory.store.put(key, bytes(data))
    bucket.committed, bucket.asked = {k: v for k, v in bucket.committed.items() if "/00001" not in k}, []
    return bucket


def mends(bucket: Requests, name: str, cache: Path) -> None:
    """Find the damage on another machine, and compute it again by another version."""
    with machine(cache):
        features = open_set(f"{bucket.address}/features/{name}")
        for one in features.damaged():
            drop(features, one)
        work(Path(bucket.address), some=SOME, network=OtherVersion())


class Readers:
    """Before each request of a writer until ``until`` one more reader lists; then all of them read."""

    def __init__(self, wanted: Wanted, until: int, root: Path) -> None:
        self.wanted, self.until, self.root = wanted, until, root
        self.count, self.readers = 0, list[Reader]()

    def fault(self, request: Request) -> Any:
        bucket, n = request.bucket, self.count
        bucket.fault = no_fault
        if n < self.until:
            self.readers.append(Reader(self.wanted, bucket, self.root / f"reader-{n}"))
        elif n == self.until:
            assert all(reader.reads() for reader in self.readers)
        self.count, bucket.fault = n + 1, self.fault
        return request.ask()


def test_a_slow_reader_reads_right_rows_or_none_while_a_shard_is_mended(
    wanted: Wanted, tmp_path: Path, points: Points
) -> None:
    bucket = damaged(wanted, tmp_path / "count")
    mends(bucket, wanted.folder.name, tmp_path / "count" / "mends")
    for until in range(1, len(bucket.asked), 1 if wanted.every else 5):
        root = tmp_path / str(until)
        bucket, readers = damaged(wanted, root), Readers(wanted, until, root)
        bucket.fault = readers.fault
        mends(bucket, wanted.folder.name, root / "mends")
        points.add("bucket: a listing, and reads of it later", len(readers.readers))
        wanted.ends_well(bucket, root, mixed=True)


MUTATIONS: dict[str, tuple[str, Any]] = {
    "the record comes first": ("commit", record_first),
    "who comes second removes its object": ("commit", loser_deletes),
    "who comes last wins": ("commit", last_wins),
    "an object's name does not say its content": ("commit", unnamed_objects),
    "the record is not read back": ("_commit_record", no_reading_back),
}


def notices(wanted: Wanted, root: Path) -> bool:
    """Whether a part of the campaign fails: the faults of writes, the bucket as it is after each request."""
    faults: list[Callable[[int], Fault]] = [
        lambda k: at(k, writes_too(root / f"other-{k}", OtherVersion(), after=False)),
        lambda k: at(k, writes_too(root / str(k), None, after=False)),
        *(fault for _, fault in FAULTS.values()),
    ]
    writes = [k for k, (kind, _) in enumerate(wanted.requests.asked) if kind in ("put", "create")]
    for n, k in product(range(len(faults)), writes):
        bucket = Requests(faults[n](k))
        error = disturbed(bucket, root / f"{n}-{k}")
        if bucket.wrong or (error and faults[n] in HARMLESS):
            return True
    return False


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_campaign_notices_when(wanted: Wanted, tmp_path: Path, name: str) -> None:
    method, instead = MUTATIONS[name]
    with patch.object(BucketPlace, method, instead):
        assert notices(wanted, tmp_path)
