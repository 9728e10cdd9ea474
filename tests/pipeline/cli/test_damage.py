"""Files of a workspace that are damaged or lost: named by `frostline verify`, and made anew by the next run."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.records.sealed import sealed
from support.commands import BACKBONE, HEAD, flip


def test_a_damaged_shard_is_named_and_made_anew(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["run", *what, *HEAD]) == 0
    shard = next(work.glob("features/*test*/shards/00000.h5"))
    sound = shard.read_bytes()
    shard.write_bytes(sound[:3000] + bytes([sound[3000] ^ 1]) + sound[3001:])
    capsys.readouterr()
    assert main(["verify"]) == 4
    assert str(shard.relative_to(work)) in capsys.readouterr().out
    assert main(["run", *what, *HEAD]) == 0
    assert "computing that shard again" in capsys.readouterr().err
    assert shard.read_bytes() == sound
    assert main(["verify"]) == 0


def test_a_published_file_that_was_lost_is_written_again(work: Path, folder: Path) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    path = next(work.glob("features/*train*/features.h5"))
    sound = path.read_bytes()
    path.unlink()
    assert main(["extract", *what]) == 0
    assert path.read_bytes() == sound


def test_a_damaged_head_is_fitted_anew(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, *HEAD]
    assert main(["run", *what]) == 0
    record = next(work.glob("heads/*/head.json"))
    record.write_bytes(record.read_bytes().replace(b'"final_converged":true', b'"final_converged":false'))
    assert main(["verify"]) == 4
    assert main(["run", *what]) == 0
    assert "head fitted" in capsys.readouterr().out
    assert main(["verify"]) == 0


@pytest.mark.parametrize("command", ["run", "extract"])
def test_a_damaged_speed_is_dropped_by_the_next_run(work: Path, folder: Path, command: str) -> None:
    what = [command, "--dataset", f"folder:{folder}", *BACKBONE]
    assert main(what) == 0
    flip(next(work.glob("features/*train*/speed.json")))
    assert main(["verify"]) == 4
    assert main(what) == 0 == main(["verify"])


@pytest.mark.parametrize("place", ["curves", "parameters"])
def test_what_a_bench_remembers_is_verified(work: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    board = work / "bench" / "mine-0123456789ab" / "leaderboard.json"  # rendered for readers, not remembered
    board.parent.mkdir(parents=True)
    board.write_text("{}")
    path = work / "bench" / place / "0123456789abcdef.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(sealed({"parameters": 1}))
    assert main(["verify"]) == 0
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert main(["verify"]) == 4
    assert f"{path.name} is damaged" in capsys.readouterr().out
