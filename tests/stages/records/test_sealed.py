"""The digest of a file is that of its bytes now, though a file that lies still is read once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from frostline.stages.records import sealed
from frostline.stages.records.sealed import file_digest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read, one after the other; every file counts as one that lies still."""
    found: list[Path] = []
    real = sealed._read_digest
    monkeypatch.setattr(sealed, "_RECENT_NS", -(10**18))
    monkeypatch.setattr(sealed, "_read_digest", lambda path: (found.append(path), real(path))[1])
    return found


def test_a_file_that_lies_still_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert [file_digest(file), file_digest(file)] == 2 * [sha256(b"one")]
    assert reads == [file]


def test_a_file_that_changed_is_read_again_whatever_its_time_says(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    before = file.stat()
    assert file_digest(file) == sha256(b"one")
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_digest(file) == sha256(b"two")
    (tmp_path / "other").write_bytes(b"six")
    (tmp_path / "other").replace(file)
    assert file_digest(file) == sha256(b"six")
    assert len(reads) == 3


def test_a_file_that_has_just_changed_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    monkeypatch.setattr(sealed, "_digest_once", lambda *_: "remembered")
    assert file_digest(file) == sha256(b"one")
