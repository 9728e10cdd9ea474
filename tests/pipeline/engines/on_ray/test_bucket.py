"""The engine ``ray`` with a store in a bucket: nothing of the workspace is shared but that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frostline.pipeline.workspace import open_workspace
from frostline.stages.store import load
from support.buckets import Bucket
from support.ray_cluster import environment, running_cluster
from support.warm import Warm

pytest.importorskip("ray", reason="ray is not installed; pip install 'frostline[ray]'")


def features(data_dir: str) -> dict[str, bytes]:
    return {one.layout.digest: np.asarray(load(one).X).tobytes() for one in open_workspace(data_dir).store.sets()}


def test_a_store_in_a_bucket_is_filled_by_a_cluster_to_the_bits_of_local(
    tmp_path: Path, bucket: Bucket, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with running_cluster(tmp_path, 1) as cluster:
        for engine, data in (("local", str(tmp_path / "here")), (f"ray:{cluster.address}", f"s3://{bucket.name}/ws")):
            command = ["-m", "frostline", "extract", "--backbone", "pixels", "--batch-size", "16"]
            command += ["--precision", "fp32", "--engine", engine, "--data-dir", data]
            done = warm.run(command, environment(), tmp_path)
            assert done.returncode == 0 and "done here" not in done.stderr, done.stderr
    assert features(f"s3://{bucket.name}/ws") == features(str(tmp_path / "here"))
