"""A workspace in a bucket: every command works on it as on a folder, from any machine, with the same numbers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.store import load, open_set
from support.buckets import Bucket
from support.memory_bucket import LostReply, MemoryBucket, memory_bucket

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
DIGITS = ("--dataset", "digits", "--backbone", "pixels")
RIDGE = (*DIGITS, "--head", "ridge")
MATRIX = """
[[dataset]]
dataset = "digits"
[[backbone]]
backbone = "pixels"
[[head]]
head = "ridge"
[[head]]
head = "centroid"
"""
Do = Callable[..., Any]
_count = itertools.count()


@pytest.fixture
def do(capsys: pytest.CaptureFixture[str]) -> Do:
    """Run a command of this exit code; return what it prints as JSON."""

    def command(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return command


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Go to a machine with its own local copies."""

    def go(name: str) -> None:
        monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "caches" / name))
        monkeypatch.chdir(tmp_path)

    go("one")
    return go


@pytest.fixture
def memory(machine: Callable[[str], None]) -> tuple[MemoryBucket, str]:
    """A bucket in memory, and the address of a workspace in it."""
    name = f"commands-{next(_count)}"
    return memory_bucket(name), f"s3://{name}/ws"


def computed(run: Any) -> list[int]:
    return [one["computed"] for probe in run["probes"] for one in probe["features"]]


def test_all_commands_on_a_server_give_what_they_give_on_a_folder(
    bucket: Bucket, machine: Callable[[str], None], do: Do, tmp_path: Path
) -> None:
    there, here = f"s3://{bucket.name}/team/ws", str(tmp_path / "data")
    first, on_disk = do("run", *RIDGE, "--data-dir", there), do("run", *RIDGE, "--data-dir", here)
    assert first["probes"][0]["evaluation"] == on_disk["probes"][0]["evaluation"]
    for one, other in zip(first["probes"][0]["features"], on_disk["probes"][0]["features"], strict=True):
        assert one["folder"] == f"{there}/features/{Path(other['folder']).name}"
        mine, theirs = open_set(one["folder"]), open_set(other["folder"])
        assert [mine.record(shard) for shard in mine.shards] == [theirs.record(shard) for shard in theirs.shards]
        assert load(mine).X.tobytes() == load(theirs).X.tobytes()
    again = do("run", *RIDGE, "--data-dir", there)
    assert again["probes"][0]["head"]["cached"] and not any(computed(again)) and any(computed(first))
    assert first["path"].startswith(f"{there}/runs/") and first["settings"]["data_dir"] == there
    machine("two")
    fitted, scored = do("fit", *RIDGE, "--data-dir", there), do("evaluate", *RIDGE, "--data-dir", there)
    assert fitted[0]["cached"] and fitted[0]["folder"] == first["probes"][0]["head"]["folder"]
    assert scored[0]["evaluation"] == first["probes"][0]["evaluation"]
    assert [one["missing"] for one in do("ls", "--data-dir", there)] == [0, 0]
    assert do("verify", "--data-dir", there)["damaged"] == [] and do("gc", "--data-dir", there) == []
    assert do("predict", fitted[0]["folder"], "digits", "--out", "p.csv", "--data-dir", there)["rows"] == 1797
    assert Path("p.csv").is_file()
    page = do("report", first["path"].removesuffix("/run.json"))["page"]
    assert page == f"{there}/runs/{Path(first['path']).parent.name}/report.html"
    do("export-features", first["probes"][0]["features"][0]["folder"], "train.npz")
    with np.load("train.npz") as stored:
        assert stored["features"].shape == (1438, 192)
    assert do("health", *DIGITS, "--data-dir", there) and do(
        "rank", "pixels", "--dataset", "digits", "--data-dir", there
    )
    Path("matrix.toml").write_text(MATRIX)
    board = do("bench", "matrix.toml", "--data-dir", there)
    machine("three")
    again = do("bench", "matrix.toml", "--data-dir", there)
    assert again["folder"] == board["folder"] and board["folder"].startswith(f"{there}/bench/")
    assert [one["accuracy"] for one in again["entries"]] == [one["accuracy"] for one in board["entries"]]
    assert (again["computed"], again["fitted"]) == (0, 0) and len(board["entries"]) == 2
    assert do("verify", "--data-dir", there)["damaged"] == []


def test_a_damaged_shard_is_found_from_another_machine_and_mended(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do
) -> None:
    bucket, there = memory
    first = do("run", *RIDGE, "--data-dir", there)
    key = next(key for key in bucket.names() if "-train-" in key and "/shards/00001-" in key)
    sound = bucket.read(key)
    bucket.store.put(key, sound[:100] + bytes([sound[100] ^ 1]) + sound[101:])
    machine("two")
    (said,) = do("verify", "--data-dir", there, code=4)["damaged"]
    assert key in said and "its SHA-256 is not the one recorded" in said
    mended = do("run", *DIGITS, "--head", "centroid", "--data-dir", there)
    assert max(computed(mended)) == 1438 - 1024 and bucket.read(key) == sound
    assert do("verify", "--data-dir", there)["damaged"] == []
    assert do("evaluate", *RIDGE, "--data-dir", there)[0]["evaluation"] == first["probes"][0]["evaluation"]


def test_a_second_fit_fetches_no_feature(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do
) -> None:
    bucket, there = memory
    do("extract", *DIGITS, "--data-dir", there)
    machine("two")
    do("fit", *RIDGE, "--data-dir", there)
    fetched = [key for key in bucket.said("get") if key.endswith(".h5") and "/shards/" in key]
    assert len(fetched) == 2
    bucket.requests.clear()
    do("fit", *DIGITS, "--head", "centroid", "--data-dir", there)
    assert not [key for key in bucket.said("get") if "/features/" in key]


def test_what_could_not_be_sent_is_not_taken_for_done(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, there = memory
    do("extract", *DIGITS, "--data-dir", there)

    def refuse(kind: str, key: str) -> None:
        if kind == "put" and key.endswith("head.json"):
            raise LostReply("error sending request")

    bucket.before = refuse
    assert main(["fit", *RIDGE, "--data-dir", there]) == 4
    assert "head.json can't be written: no answer" in capsys.readouterr().err
    bucket.before = lambda _kind, _key: None
    assert not do("fit", *RIDGE, "--data-dir", there)[0]["cached"]
    machine("two")
    assert do("fit", *RIDGE, "--data-dir", there)[0]["cached"]


def test_what_was_removed_from_the_bucket_is_gone_everywhere(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do
) -> None:
    bucket, there = memory
    do("run", *RIDGE, "--data-dir", there)
    for key in bucket.names():
        if "/heads/" in key:
            bucket.store.delete(key)
    assert not do("fit", *RIDGE, "--data-dir", there)[0]["cached"]


def test_gc_removes_an_unfinished_set_from_the_bucket(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do
) -> None:
    bucket, there = memory
    done = do("extract", *DIGITS, "--data-dir", there)
    open_set(done[0]["folder"]).drop(0)
    machine("two")
    (found,) = do("gc", "--unfinished", "--yes", "--data-dir", there)
    assert (found["path"], found["why"]) == (done[0]["folder"], "unfinished")
    assert not [key for key in bucket.names() if "digits-train" in key and "/features/" in key]
    assert [one["split"] for one in do("ls", "--data-dir", there)] == ["test"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("https://host/ws", "is no place of a workspace; expected s3://bucket/prefix, gs:// or az://"),
        ("s3://bucket/../ws", "is no place of a workspace"),
    ],
)
def test_an_address_that_can_hold_no_workspace_is_refused(
    place: str, said: str, machine: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *RIDGE, "--data-dir", place]) == 2
    assert said in capsys.readouterr().err


def test_the_right_to_read_is_enough_for_what_writes_nothing_new(
    memory: tuple[MemoryBucket, str], machine: Callable[[str], None], do: Do
) -> None:
    bucket, there = memory
    do("run", *RIDGE, "--data-dir", there)

    def refuse(kind: str, key: str) -> None:
        if kind in ("put", "create", "delete"):
            raise PermissionError(f"{kind} {key}: access denied")

    bucket.before = refuse
    for asked in (("ls",), ("verify",), ("gc",), ("fit", *RIDGE), ("evaluate", *RIDGE)):
        machine(f"one-for-{asked[0]}")
        do(*asked, "--data-dir", there)
