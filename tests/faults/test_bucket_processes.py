"""Extractions into a real server: processes that are killed, and a network on which any request goes wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.bucket_process import MANY
from faults.counts import Points
from faults.proxy import WAYS, Proxy, proxy_of
from faults.work import samples, work
from frostline.stages.buckets.mirror import look_again
from frostline.stages.store import load, open_set
from support.buckets import ENVIRONMENT, Bucket, bucket_at
from support.warm import Started, Warm


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "cache"))
    look_again()
    return tmp_path


def objects(bucket: Bucket, prefix: str, ending: str = "") -> dict[str, bytes]:
    """Return what lies below a prefix, but for claims and probes."""
    keys = [key for key in bucket.keys(prefix) if "claims/" not in key and "/probe-" not in key]
    return {key.removeprefix(prefix): bucket.read(key) for key in keys if key.endswith(ending)}


def records(bucket: Bucket) -> dict[str, bytes]:
    return objects(bucket, "many/", ".json")


def started(warm: Warm, bucket: Bucket, root: Path, name: str) -> Started:
    """Start an extraction on a machine with its own local copies."""
    environment = {**os.environ, "FROSTLINE_CACHE_DIR": str(root / name), "OMP_NUM_THREADS": "1"}
    return warm.start(["-m", "faults.bucket_process", f"s3://{bucket.name}/many"], environment, root)


def test_of_two_processes_one_is_killed_and_a_third_finishes_byte_for_byte(
    warm: Warm, bucket: Bucket, cache: Path, campaign: bool, points: Points
) -> None:
    work(Path(f"s3://{bucket.name}/alone"), some=MANY)
    wanted = objects(bucket, "alone/")
    for after in range(1, 20, 2) if campaign else (6,):
        for key in bucket.keys("many/"):
            bucket.delete(key)
        crowd = [started(warm, bucket, cache, f"{after}-{name}") for name in ("one", "two")]
        while len(bucket.keys("many/")) < 2 * after + 3 and any(one.poll() is None for one in crowd):
            time.sleep(0.01)
        crowd[0].send_signal(signal.SIGKILL)
        committed = records(bucket)
        assert crowd[0].wait() == -signal.SIGKILL and committed
        if after % 4 == 1:
            crowd[1].send_signal(signal.SIGKILL)
        assert crowd[1].wait() in (0, -signal.SIGKILL)
        third = started(warm, bucket, cache, f"{after}-three")
        assert third.wait() == 0
        assert committed.items() <= records(bucket).items()
        assert objects(bucket, "many/") == wanted
        points.add("bucket: processes killed beside another")


@pytest.fixture(scope="module")
def proxy(endpoint: str) -> Iterator[Proxy]:
    with proxy_of(endpoint) as found:
        yield found


@pytest.fixture
def behind(endpoint: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server, which the environment leads to through the proxy."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": proxy.endpoint}.items():
        monkeypatch.setenv(name, value)
    return endpoint


@pytest.mark.parametrize("way", WAYS)
def test_one_failure_of_the_network_at_any_request_is_not_noticed(
    behind: str, proxy: Proxy, cache: Path, monkeypatch: pytest.MonkeyPatch, way: str, campaign: bool, points: Points
) -> None:
    some, start = samples(), WAYS.index(way)
    bucket = bucket_at(behind, f"network-{start}")
    proxy.disturb(-1, "")
    wanted = work(Path(f"s3://{bucket.name}/alone"), some=some)
    requests, left = proxy.asked, objects(bucket, "alone/")
    assert requests > 20
    for at in range(requests) if campaign else range(start, requests, 12):
        monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(cache / str(at)))
        look_again()
        proxy.disturb(at, way)
        work(Path(f"s3://{bucket.name}/{at}"), some=some)
        assert objects(bucket, f"{at}/") == left, f"request {at}"
        proxy.disturb(-1, "")
        monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(cache / f"{at}-reads"))
        look_again()
        found = open_set(f"s3://{bucket.name}/{at}/features/{wanted.folder.name}")
        assert not found.damaged() and len(load(found)) == len(some)
        points.add(f"bucket, on the network: a request {way}")
