"""Bytes flip and files are cut off anywhere in a workspace: each time it is seen or does no harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pytest

from faults.counts import Points
from faults.jobs import MATRIX
from faults.work import contents, work
from frostline.pipeline.cli.main import main
from frostline.pipeline.maintain.inventory import verify
from frostline.pipeline.report.html.record import open_run
from frostline.stages.datasets import is_sound
from frostline.stages.errors import StoreError
from frostline.stages.heads import read_head
from frostline.stages.records.sealed import unsealed
from frostline.stages.store import Provenance, load, open_set
from frostline.stages.store.featureset import TARGETS
from frostline.stages.store.targets import read_targets
from support.pictures import paint

FLIPS = 300  # of each kind of file
SLOW_FLIPS = 50  # of the file that is made anew for each comparison


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with every kind of file in it."""
    root = tmp_path_factory.mktemp("flips")
    for split, label, i in [(s, k, i) for s in ("train", "test") for k in range(2) for i in range(6)]:
        paint(root / "pets" / split / "ab"[label] / f"{i}.png", label, 100 * label + i + 1000 * (split == "test"))
    what = ["--dataset", f"folder:{root / 'pets'}", "--backbone", "pixels", "--resize", "8x8"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("frostline.stages.datasets.index.GRAIN_NS", 0)
        assert main(["run", "--data-dir", str(root / "data"), *what]) == 0
        assert main(["fit", "--data-dir", str(root / "data"), *what, "--head", "sklearn.naive_bayes:GaussianNB"]) == 0
        (root / "matrix.toml").write_text(MATRIX.format(images=root / "pets"))
        assert main(["bench", "--data-dir", str(root / "data"), str(root / "matrix.toml")]) == 0
    return root / "data"


def shard_is_refused(path: Path) -> bool:
    features = open_set(path.parents[1])
    try:
        load(features)
    except StoreError as error:
        return path.stem in str(error) and [damage.shard for damage in features.damaged()] == [int(path.stem)]
    return False


def description_is_refused(path: Path) -> bool:
    try:
        open_set(path.parent)
    except StoreError as error:
        return str(path) in str(error)
    return False


def head_is_refused(path: Path) -> bool:
    try:
        read_head(path.parent)
    except StoreError as error:
        return str(path.parent) in str(error)
    return False


def run_is_refused(path: Path) -> bool:
    try:
        assert open_run(path.parent).scored
    except StoreError as error:
        return str(path) in str(error)
    return False


def targets_are_refused(path: Path) -> bool:
    try:
        read_targets(path)
    except StoreError as error:
        return str(path) in str(error)
    return False


def seal_is_broken(path: Path) -> bool:
    try:
        unsealed(path.read_bytes())
    except ValueError:
        return True
    return False


# Each kind of file, and whether damage in it is seen where the file is used.
KINDS: dict[str, Callable[[Path], bool]] = {
    "features/*-train-*/shards/*.h5": shard_is_refused,
    "features/*-train-*/shards/*.json": shard_is_refused,
    "features/*-train-*/key.json": description_is_refused,
    "features/*-train-*/features.h5": lambda path: not open_set(path.parent).published,
    "features/*-train-*/made.json": lambda path: open_set(path.parent).provenance == Provenance(),
    "features/*-train-*/speed.json": lambda path: open_set(path.parent).speed is None,
    "features/*-train-*/targets.h5": targets_are_refused,
    "targets/*-train-*.h5": targets_are_refused,
    "heads/*/head.json": head_is_refused,
    "heads/*/head.safetensors": head_is_refused,
    "heads/*/head.skops": head_is_refused,
    "runs/*/run.json": run_is_refused,
    "runs/*/predictions-*.csv": run_is_refused,
    "backbones/*.json": seal_is_broken,
    "health/*.json": seal_is_broken,
    "bench/curves/*.json": seal_is_broken,
    "bench/parameters/*.json": seal_is_broken,
    "index/*.index": lambda path: not is_sound(path),
}


def damage(sound: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with up to three bits flipped, or cut off."""
    if rng.random() < 0.2:
        return sound[: rng.integers(len(sound))]
    data = bytearray(sound)
    for position in set(rng.integers(len(data), size=rng.integers(1, 4)).tolist()):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def digest_of(targets: bytes) -> str:
    """Return the digest of what a file of targets holds, counted anew."""
    with NamedTemporaryFile() as file:
        file.write(targets)
        file.flush()
        return read_targets(Path(file.name)).digest


def same_meaning(path: Path, sound: bytes) -> bool:
    """Whether the damage did no harm: ``1e-06`` may have become ``1E-06``, and a byte of HDF5 may hold nothing."""
    try:
        if path.parent.name == "targets" or path.name == TARGETS:
            return digest_of(path.read_bytes()) == digest_of(sound)
        return path.suffix == ".json" and unsealed(path.read_bytes()) == unsealed(sound)
    except (StoreError, ValueError):
        return False


def test_every_kind_of_file_is_among_those_that_are_damaged(workspace: Path) -> None:
    kinds = {path for kind in KINDS for path in workspace.glob(kind.replace("-train-", "-"))}
    others = {path.relative_to(workspace) for path in set(workspace.rglob("*")) - kinds if path.is_file()}
    written = {path for path in others if path.stem in ("report", "leaderboard")}  # for people; nothing reads them
    assert {path.name for path in others - written} == {"00000.lock"}


@pytest.mark.parametrize("kind", KINDS)
def test_damage_to_any_file_is_seen_where_it_is_used(workspace: Path, kind: str, points: Points) -> None:
    path = min(workspace.glob(kind))
    sound, rng = path.read_bytes(), np.random.default_rng(len(kind))
    try:
        for _ in range(SLOW_FLIPS if kind.endswith("features.h5") else FLIPS):
            path.write_bytes(damage(sound, rng))
            assert KINDS[kind](path) or same_meaning(path, sound)
            points.add("flips and truncations")
    finally:
        path.write_bytes(sound)
    assert not KINDS[kind](path)


def test_verify_names_the_damaged_file_whichever_it_is(workspace: Path, campaign: bool, points: Points) -> None:
    rng = np.random.default_rng(0)
    assert verify(workspace)[1] == []
    for kind in KINDS:
        path = min(workspace.glob(kind))
        sound, name = path.read_bytes(), str(path.parent if kind.startswith("heads") else path)
        for _ in range(20 if campaign else 4):
            path.write_bytes(damage(sound, rng))
            said = verify(workspace)[1]
            assert [name in text for text in said] == [True] or same_meaning(path, sound)
            points.add("damages verified")
        path.write_bytes(sound)


def test_the_next_run_computes_exactly_the_damaged_shards(tmp_path: Path, points: Points) -> None:
    features, rng = work(tmp_path), np.random.default_rng(1)
    wanted, written = contents(tmp_path), []
    for _ in range(30):
        chosen = sorted(rng.choice(3, size=rng.integers(1, 3), replace=False).tolist())
        for shard in chosen:
            path = features.folder / "shards" / f"{shard:05d}.{rng.choice(['h5', 'json'])}"
            path.write_bytes(damage(path.read_bytes(), rng))
        found = [error.shard for error in features.damaged()]
        for shard in found:
            features.drop(shard)
        written.clear()
        work(tmp_path, written.append)
        assert found == chosen == [int(name) for name in written if name.isdigit()]
        assert contents(tmp_path) == wanted
        points.add("damaged shards made anew", len(chosen))
