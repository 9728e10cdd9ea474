"""Real mounts without locks: everything is written there as on a disk, and the want of locks is said once."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.store import locks
from support import syncs
from support.killed import contents, killed
from support.mounts import mount_obstacle, mounted
from support.warm import Warm

SAID = "no locks on this file system"
REFUSED = {
    "NFS without its lock daemon": {"flock": errno.ENOLCK},
    "a bucket": {"flock": errno.EOPNOTSUPP, "fsyncdir": errno.EINVAL, "symlink": errno.EPERM},
    "a share": {"flock": errno.EINVAL, "chmod": errno.EPERM, "utimens": errno.EPERM},
}


@pytest.fixture(autouse=True)
def syncs_that_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", syncs.REAL)


@contextmanager
def without_locks(tmp_path: Path, refused: Mapping[str, int]) -> Iterator[Path]:
    obstacle = mount_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    with mounted(tmp_path / "disk", tmp_path / "mount", refused) as mount:
        with (mount / "probe").open("w") as file, pytest.raises(OSError) as refusal:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert refusal.value.errno == refused["flock"]
        yield mount


def shards(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if "shards" in name or "features.h5" in name}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_run_on_a_mount_without_locks_writes_what_it_writes_on_a_disk(
    work: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    locks._say.cache_clear()
    asked = ["run", "--backbone", "pixels", "--grid", "C=1", "--data-dir"]
    with without_locks(work.parent, REFUSED[kind]) as mount:
        assert main([*asked, "here"]) == 0 and SAID not in capsys.readouterr().err
        assert main([*asked, str(mount / "data")]) == 0 and capsys.readouterr().err.count(SAID) == 1
        assert shards(mount / "data") == shards(Path("here")) != {}
        assert main([*asked, str(mount / "data")]) == 0
        assert "features from the cache, no backbone run; head from the cache" in capsys.readouterr().out
        assert main(["verify", "--data-dir", str(mount / "data")]) == 0
        assert " 0 damaged" in capsys.readouterr().out
        assert main(["gc", "--yes", "--unfinished", "--data-dir", str(mount / "data")]) == 0


def test_two_processes_and_a_killed_one_leave_sound_features_there(work: Path, warm: Warm) -> None:
    asked = ["-m", "frostline", "extract", "--backbone", "pixels", "--data-dir", "mount/data"]
    with without_locks(work.parent, REFUSED["NFS without its lock daemon"]):
        killed(warm.start(asked), Path("disk/data/features"), after=1)
        both = [warm.start(asked) for _ in range(2)]
        said = [process.printed()[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert SAID in "".join(said)  # one that finds all done takes no lock
        assert main(["verify", "--data-dir", "mount/data"]) == 0
        assert main(["gc", "--yes", "--data-dir", "mount/data"]) == 0
        assert not list(Path("disk/data").rglob("*.tmp"))
