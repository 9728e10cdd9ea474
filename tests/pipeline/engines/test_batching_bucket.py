"""Who finds out the batch size in a bucket is waited for with few requests, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines import batching
from frostline.stages.store.places import claims
from support.memory_bucket import memory_bucket

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")


def test_a_claim_of_a_dead_process_is_waited_for_with_few_requests_and_that_is_said_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "cache"))
    bucket, slept, now = memory_bucket("waits"), list[float](), [0.0]

    def dies(kind: str, key: str) -> None:
        if kind == "create" and key.endswith("claims/00000") and not slept:
            bucket.store.put(key, b"dead")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    bucket.before = dies
    monkeypatch.setattr(batching.time, "sleep", sleep)
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    flags = ("--dataset", f"folder:{folder}", "--backbone", "pixels", "--resize", "8x8")
    assert main(["extract", *flags, "--data-dir", "s3://waits/ws"]) == 0
    assert capsys.readouterr().err.count("another process is measuring the batch size") == 1
    assert slept[:20] == [2.0] * 20 and len(slept) == claims.DEAD_SECONDS / 2
