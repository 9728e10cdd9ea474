"""A workspace that version 0.1.0 made is read, used and verified: nobody's cache is lost.

It holds the features of twelve small images through ``pixels`` and the shipped backbone, heads, a run, and a bench's
memory, as ``tests/golden/workspace-0.1.0.tar.gz``, made by the commands in its README.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.records.sealed import content_digest
from frostline.stages.store import FeatureSet, FeatureStore, load
from frostline.stages.targets.values import Targets

ARCHIVE = Path(__file__).parent / "workspace-0.1.0.tar.gz"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace beside its images; its features were decoded by the Pillow that is here."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    decoder = (tmp_path / "decoder.txt").read_text().strip()
    monkeypatch.setattr("frostline.stages.modalities.image.modality.decoder", lambda min_side=None: decoder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_of_it_is_sound(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert capsys.readouterr().out == (old / "verify.txt").read_text()
    assert main(["gc"]) == 0 and "nothing to remove" in capsys.readouterr().out
    assert main(["ls"]) == 0 and capsys.readouterr().out.count("pets-") == 4


def features_of(old: Path) -> dict[str, bytes]:
    sets = FeatureStore(old / "data" / "features").sets()
    return {f"{s.layout.split} {s.layout.key['backbone']}": load(s, made_up(s)).X.tobytes() for s in sets}


def made_up(features: FeatureSet) -> Targets:
    return Targets(("a", "b"), np.zeros(features.layout.rows, np.int64))


def test_its_features_are_taken_over_to_the_bit(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = features_of(old)
    assert main(["migrate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all("→ pets-" in line for line in lines)
    assert features_of(old) == before and len(before) == 4
    sets = list(FeatureStore(old / "data" / "features").sets())
    assert [s.layout.format for s in sets] == [2] * 4 and all(s.published for s in sets)
    for one in sets:
        with h5py.File(one.folder / "features.h5") as file:
            names, labels = json.loads(file.attrs["classes"]), file["labels"][:].tolist()
            ids = file["ids"].asstr()[:].tolist()
        assert all(f"/{names[label]}/" in f"/{sample}" for label, sample in zip(labels, ids, strict=True))
    assert main(["verify"]) == 0
    assert main(["migrate"]) == 0 and "every feature set has the current format" in capsys.readouterr().out


@pytest.mark.parametrize("backbone", ["pixels", "resnet8-cifar10"])
@pytest.mark.usefixtures("old")
def test_its_features_are_used(backbone: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--dataset", "folder:pets", "--backbone", backbone, "--precision", "fp32"]
    assert main([*arguments, "--head", "ridge,knn", "--folds", "loo", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "features from the cache, no backbone run" in said
    assert said.count("head fitted in") == 2  # a value is chosen by another rule today


def test_a_head_that_knew_of_no_groups_is_not_taken_for_one_that_did(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--dataset", "folder:pets", "--backbone", "pixels", "--precision", "fp32", "--device", "cpu"]
    assert main([*arguments, "--head", "ridge", "--folds", "loo", "--group-pattern", "(t[a-z]+/[a-z]+/)"]) == 3
    assert "leave-one-out with groups" in capsys.readouterr().err


def test_a_takeover_that_was_interrupted_is_gone_on_with_and_serves_meanwhile(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = FeatureStore(old / "data" / "features")
    first = next(s for s in store.sets() if s.layout.key["backbone"] == "pixels" and s.layout.split == "test")
    ids = [sample.decode() for shard in first.shards for sample in first.read(shard).ids.tolist()]
    digests = np.concatenate([first.read(shard).digests for shard in first.shards])
    key = {**first.layout.key, "dataset": content_digest(ids, digests), "format": 2}
    store.begin(replace(first.layout, key=key), first.provenance)
    arguments = ["--dataset", "folder:pets", "--backbone", "pixels", "--precision", "fp32", "--device", "cpu"]
    assert main(["run", *arguments, "--head", "ridge", "--folds", "loo"]) == 0
    assert "features from the cache, no backbone run" in capsys.readouterr().out
    left = [s.layout.format for s in store.sets() if s.layout.key["backbone"] == "pixels" and s.layout.split == "test"]
    assert left == [2]


@pytest.fixture
def read_only(old: Path) -> Iterator[Path]:
    """The workspace on a disk that can't be written, by a mount of its own."""
    data = str(old / "data")
    made = subprocess.run(["mount", "--bind", data, data], capture_output=True, check=False).returncode == 0
    if not made:
        pytest.skip("this user may not mount: no disk can be made read-only")
    subprocess.run(["mount", "-o", "remount,ro,bind", data], check=True)
    try:
        yield old
    finally:
        subprocess.run(["umount", data], check=True)


def test_on_a_read_only_disk_it_serves_as_it_is(read_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dataset", "folder:pets", "--backbone", "pixels", "--precision", "fp32", "--device", "cpu"]
    (head,) = (read_only / "data" / "heads").glob("pets-pixels-ridge-*")
    assert main(["predict", str(head), "pets/test"]) == 0
    assert capsys.readouterr().out == (read_only / "answers.txt").read_text()
    assert main(["extract", *arguments]) == 0 and main(["ls"]) == 0
    assert main(["migrate"]) == 4 and capsys.readouterr().out.count("not changed") == 4


def test_its_heads_answer_for_new_images(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (head,) = (old / "data" / "heads").glob("pets-pixels-ridge-*")
    assert main(["predict", str(head), "pets/test"]) == 0
    assert capsys.readouterr().out == (old / "answers.txt").read_text()


def test_its_runs_have_pages(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = sorted(map(str, (old / "data" / "runs").iterdir()))
    assert main(["report", *runs]) == 0
    assert "<svg" in (old / "comparison.html").read_text()
