"""Links, pipes, devices, folders and giants where a workspace has its files: named, never waited for or followed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from faults.counts import Points
from faults.strangers import bounded
from frostline.pipeline.cli.main import main
from frostline.pipeline.maintain.inventory import verify
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed, unsealed
from support.pictures import paint

NUMBERS = [  # and what they depend on
    *("features/*-train-*/key.json", "features/*-train-*/shards/*.h5", "features/*-train-*/shards/*.json"),
    *("heads/*-ridge-*/head.json", "heads/*-ridge-*/head.safetensors", "heads/*GaussianNB*/head.skops"),
    *("runs/*/run.json", "runs/*/predictions-*-ridge.csv"),
]
MEMORIES = [
    *(f"features/*-train-*/{name}" for name in ("made.json", "speed.json", "features.h5")),
    *("backbones/*.json", "health/*.json", "index/*.index"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("places")
    for split, label, i in [(s, k, i) for s in ("train", "test") for k in range(2) for i in range(6)]:
        paint(root / "pets" / split / "ab"[label] / f"{i}.png", label, 100 * label + i + 1000 * (split == "test"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("frostline.stages.datasets.index.GRAIN_NS", 0)
        assert run(root) == 0
    return root


@pytest.fixture
def workspace(whole: Path, tmp_path: Path) -> Path:
    """A workspace of the test's own, to be spoilt."""
    shutil.copytree(whole, tmp_path / "all")
    return tmp_path / "all" / "data"


def run(root: Path) -> int:
    what = ["--dataset", f"folder:{root / 'pets'}", "--backbone", "pixels", "--resize", "8x8"]
    return main(["run", *what, "--head", "ridge,sklearn.naive_bayes:GaussianNB", "--data-dir", str(root / "data")])


def linked(path: Path) -> None:
    """The very file, but elsewhere."""
    path.symlink_to(shutil.move(path, path.parents[2].with_name(f"elsewhere-{path.name}")))


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def looping(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


IRREGULAR: list[tuple[Callable[[Path], None], str]] = [
    (linked, "is a symbolic link; expected a regular file"),
    (dangling, "is a symbolic link; expected a regular file"),
    (looping, "is a symbolic link; expected a regular file"),
    (device, "is a symbolic link; expected a regular file"),
    (pipe, "is a pipe; expected a regular file"),
    (folder, "is a folder; expected a regular file"),
]


def examine(workspace: Path) -> None:
    """Raise StoreError with all that ``verify`` has to say, and end where it would wait."""
    signal.alarm(60)
    raise StoreError("; ".join(verify(workspace)[1]))


@pytest.mark.parametrize("place", NUMBERS + MEMORIES)
def test_what_is_no_file_is_named_and_neither_waited_for_nor_read(
    whole: Path, tmp_path: Path, place: str, points: Points, campaign: bool
) -> None:
    every = 1 if campaign else 3
    for make, found in IRREGULAR[(NUMBERS + MEMORIES).index(place) % every :: every]:
        root = shutil.copytree(whole, tmp_path / make.__name__)
        (path,) = (root / "data").glob(place)
        make(path)
        said = bounded(partial(examine, root / "data"), StoreError)
        assert str(path.parent if "heads" in place else path) in said
        if place in NUMBERS:
            assert f"{path.name} {found}" in said
        points.add("hostile files")


@pytest.mark.parametrize("place", NUMBERS + MEMORIES)
def test_a_file_of_a_terabyte_is_not_read_into_memory(workspace: Path, place: str, points: Points) -> None:
    (path,) = workspace.glob(place)
    os.truncate(path, 1 << 40)
    assert str(path.parent if "heads" in place else path) in bounded(lambda: examine(workspace), StoreError)
    points.add("hostile files")


@pytest.mark.parametrize("place", ["heads/*-ridge-*/head.safetensors", "heads/*GaussianNB*/head.skops"])
def test_a_giant_in_place_of_a_head_is_refused_by_its_size(workspace: Path, place: str) -> None:
    (path,) = workspace.glob(place)
    os.truncate(path, 1 << 40)
    said = bounded(lambda: examine(workspace), StoreError)
    assert f"{path.name} holds 1,099,511,627,776 bytes; expected at most 17,179,869,184" in said


@pytest.mark.parametrize("place", NUMBERS + MEMORIES[2:4])  # those that a run would write
def test_a_folder_where_a_file_is_to_be_written_is_said_and_once_removed_all_goes_on(
    workspace: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = workspace.glob(place)
    folder(path)
    capsys.readouterr()
    code, said = run(workspace.parent), capsys.readouterr().err
    assert f"can't write {path}: it is a folder; remove it and run again" in said
    assert code == (1 if place.startswith("runs") else StoreError.exit_code)
    path.rmdir()
    assert run(workspace.parent) == 0


def test_the_next_run_puts_files_in_their_places_and_leaves_alone_what_links_led_to(
    whole: Path, tmp_path: Path, campaign: bool
) -> None:
    own = [place for place in NUMBERS + MEMORIES if "index" not in place]  # that is of the folder copied from
    makes = [linked, dangling, looping, device, pipe]
    for turn in range(len(makes) if campaign else 2):
        workspace = shutil.copytree(whole, tmp_path / str(turn)) / "data"
        places = [path for place in own for path in workspace.glob(place)]
        for i, path in enumerate(places):
            makes[(turn + i) % len(makes)](path)
        away = {path: path.read_bytes() for path in tmp_path.glob("**/elsewhere-*")}
        assert away
        assert run(workspace.parent) == 0
        assert verify(workspace)[1] == []
        assert not [path for path in places if path.is_symlink() or path.is_fifo()]
        assert away == {path: path.read_bytes() for path in tmp_path.glob("**/elsewhere-*")}


@pytest.mark.parametrize("command", [["gc", "--yes"], ["run"]], ids=lambda command: command[0])
def test_a_lock_that_is_a_link_empties_no_file(workspace: Path, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "precious").write_text("kept")
    (shards,) = workspace.glob("features/*-train-*/shards")
    lock = shards.parent / "locks" / "00000.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "precious")
    (shards / "00000.json").unlink()
    code = run(workspace.parent) if command == ["run"] else main([*command, "--data-dir", str(workspace)])
    assert code == StoreError.exit_code
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_workspace_may_be_a_link_and_so_may_its_folders(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("features", "heads", "runs"):
        (workspace / name).rename(workspace.with_name(f"disk-{name}"))
        (workspace / name).symlink_to(workspace.with_name(f"disk-{name}"))
    workspace.rename(workspace.with_name("disk"))
    workspace.symlink_to("disk")
    capsys.readouterr()
    assert run(workspace.parent) == 0 == main(["report", *map(str, workspace.glob("runs/*"))])
    assert "no backbone run" in capsys.readouterr().out
    assert verify(workspace)[1] == []


def test_rubbish_behind_a_link_is_not_removed(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "key.json").write_text("{}")
    (workspace / "features" / "x").symlink_to(tmp_path / "other")
    assert main(["gc", "--unfinished", "--yes", "--data-dir", str(workspace)]) == 0
    assert (tmp_path / "other" / "key.json").exists() and not (workspace / "features" / "x").exists()


KEYS: dict[str, object] = {
    "no backbone": {"format": 1, "dtype": "float32"},
    "a backbone that is a list": {"format": 1, "dtype": "float32", "backbone": [], "layer": "", "view": ""},
    "a text": "format",
    "nothing": None,
}


@pytest.mark.parametrize("key", KEYS)
def test_a_set_whose_key_is_odd_is_said_and_the_others_are_listed(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = workspace.glob("features/*-train-*/key.json")
    path.write_bytes(sealed({**unsealed(path.read_bytes()), "key": KEYS[key]}))
    capsys.readouterr()
    assert main(["ls", "--data-dir", str(workspace)]) == 0
    said = capsys.readouterr()
    assert f"{path} does not describe a feature set" in said.err and "pets-test-pixels" in said.out


@pytest.mark.parametrize("value", [None, 3, [], {"a": 1}, "\x1b[31m", "\ud800"], ids=repr)
def test_odd_facts_of_a_set_are_listed_as_they_are(
    workspace: Path, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, facts in (("made.json", ("made", "host", "device")), ("speed.json", ("rows_per_second",))):
        (path,) = workspace.glob(f"features/*-train-*/{name}")
        path.write_bytes(sealed(dict.fromkeys(facts, value)))
    capsys.readouterr()
    assert main(["ls", "--data-dir", str(workspace)]) == 0 == main(["ls", "--json", "--data-dir", str(workspace)])
    assert "\x1b" not in capsys.readouterr().out
    assert run(workspace.parent) == 0


@pytest.mark.parametrize("name", ["head.safetensors", "head.skops"])
def test_a_file_that_a_head_lacks_is_named(workspace: Path, name: str) -> None:
    (path,) = workspace.glob(f"heads/*GaussianNB*/{name}")
    path.unlink()
    (said,) = verify(workspace)[1]
    assert f"{path.parent} is damaged: {name} is missing; fit it again with `frostline fit`" in said


@pytest.mark.parametrize("place", ["features", "heads", "runs"])
def test_a_name_that_would_steer_a_terminal_is_written_out(
    workspace: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = {"features": "key.json", "heads": "head.json", "runs": "run.json"}[place]
    (workspace / place / "\x1b[31mred").mkdir()
    (workspace / place / "\x1b[31mred" / file).touch()
    capsys.readouterr()
    assert main(["verify", "--data-dir", str(workspace)]) == StoreError.exit_code
    assert main(["gc", "--unfinished", "--data-dir", str(workspace)]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert said.out.count("\\x1b[31mred") == (2 if place == "features" else 1)
