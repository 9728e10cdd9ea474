"""Locks only save double work: a file system that grants none is written to all the same."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.errors import StoreError
from frostline.stages.store import in_use, locks, open_set
from frostline.stages.store.locks import Lock, locked
from support.killed import contents

NONE = [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, 524]  # the last is the kernel's own ENOTSUPP


@pytest.fixture(autouse=True)
def unsaid() -> Iterator[None]:
    locks._say.cache_clear()
    yield
    locks._say.cache_clear()


def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


def shards(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if "shards" in name or "features.h5" in name}


@pytest.mark.parametrize("number", NONE)
def test_features_are_the_same_without_locks_and_the_want_of_them_is_said_once(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    locked_away = [shards(done.folder) for done in extract(ExtractSettings(backbone="pixels", data_dir="with"))]
    without_locks(monkeypatch, number)
    caplog.clear()
    done = extract(ExtractSettings(backbone="pixels", data_dir="without"))
    assert [shards(one.folder) for one in done] == locked_away
    assert caplog.text.count("no locks on this file system") == 1 and os.strerror(number) in caplog.text
    assert main(["gc", "--data-dir", "without", "--yes", "--unfinished"]) == 0
    assert all(open_set(one.folder).complete for one in done)


def test_what_another_process_may_be_writing_is_left_alone(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (train, _) = extract(ExtractSettings(backbone="pixels", data_dir=work))
    features = open_set(train.folder)
    features.drop(0)
    half = train.folder / "shards" / "00000.h5.1-abc.tmp"
    half.write_bytes(b"half")
    without_locks(monkeypatch, errno.ENOLCK)
    with features.claim(0, wait=False) as ours, features.claim(0, wait=True) as theirs:
        assert ours and theirs and half.exists()
    assert not in_use(train.folder)
    monkeypatch.undo()
    with features.claim(0, wait=False) as ours:
        assert ours and not half.exists() and in_use(train.folder)


def test_any_other_refusal_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, errno.EIO)
    with (
        pytest.raises(StoreError, match=r"can't write .*x.lock: Input/output error"),
        locked(tmp_path / "x.lock", wait=False),
    ):
        pass


def test_a_lock_is_held_or_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with locked(path, wait=False) as first, locked(path, wait=False) as second:
        assert (first, second) == (Lock.HELD, Lock.TAKEN)
    with locked(path, wait=True) as again:
        assert again is Lock.HELD


def test_what_is_raised_under_a_lock_lets_go_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.lock"
    with caplog.at_level(logging.WARNING, "frostline"), pytest.raises(OSError, match="full"), locked(path, wait=False):
        raise OSError(errno.ENOLCK, "full")
    assert not caplog.text
    with locked(path, wait=False) as again:
        assert again is Lock.HELD
