"""`frostline rank` and `frostline health` as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frostline.pipeline.cli.main import main
from frostline.pipeline.diagnose.rank import rank
from frostline.pipeline.settings import RankSettings
from frostline.stages.store import FeatureStore

BACKBONES = ["resnet8-cifar10", "pixels"]


@pytest.fixture(autouse=True)
def small(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of a quarter of the pixels: the order of real backbones is not looked at here."""
    monkeypatch.setenv("FROSTLINE_RESIZE", "16x16")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def extracted(work: Path) -> dict[str, int]:
    return {s.layout.split: s.layout.rows for s in FeatureStore(work / "features").sets()}


def test_rank_scores_backbones_on_a_sample_and_extracts_nothing_else(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "rank", *BACKBONES, "--samples", "200")
    assert (found["rows"], found["of"]) == (200, 1438)
    assert [one["backbone"] for one in found["backbones"]] == sorted(
        BACKBONES, key=lambda name: -next(b["scores"]["logme"] for b in found["backbones"] if b["backbone"] == name)
    )
    by = {one["backbone"]: one for one in found["backbones"]}
    assert by["resnet8-cifar10"]["scores"]["leep"] < 0 and by["pixels"]["scores"]["leep"] is None
    assert all(one["accuracy"] is None for one in found["backbones"])
    assert extracted(work) == {"sample": 200}


def test_a_larger_sample_and_the_whole_dataset_take_the_rows_that_a_smaller_one_computed(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "rank", "--samples", "100")["backbones"][0]["computed"] == 100
    assert answer(capsys, "rank", "--samples", "100")["backbones"][0]["computed"] == 0
    assert answer(capsys, "rank", "--samples", "250")["backbones"][0]["computed"] == 150
    done = {e["split"]: e["computed"] for e in answer(capsys, "extract")}
    assert done == {"train": 1438 - 250, "test": 359}
    assert answer(capsys, "rank", "--samples", "600")["backbones"][0]["computed"] == 0


def test_a_sample_of_everything_is_the_training_split(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}"]
    answer(capsys, "rank", "resnet8-cifar10", *what)
    assert extracted(work) == {"train": 36}  # by that name, which `frostline ls` shows
    done = {e["split"]: e["computed"] for e in answer(capsys, "extract", *what)}
    assert done == {"train": 0, "test": 12}


def test_a_sample_is_stratified_and_seeded(work: Path) -> None:
    def drawn(seed: int) -> set[str]:
        rank([], RankSettings(data_dir=work, samples=100, seed=seed, backbone="pixels"))
        from frostline.stages.store import load

        sets = [load(s) for s in FeatureStore(work / "features").sets() if s.layout.split == "sample"]
        assert all(np.bincount(s.y).tolist() == [10] * 10 for s in sets)
        names = {frozenset(s.ids) for s in sets}
        shutil.rmtree(work)
        return set(next(iter(names)))

    assert drawn(0) == drawn(0) != drawn(1)


def test_past_runs_of_the_dataset_are_shown_and_three_of_them_are_correlated(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = ["--head", "ridge", "--grid", "1", "--baseline", "none"]
    assert main(["run", "--backbone", "resnet8-cifar10", *head]) == 0
    few = answer(capsys, "rank", *BACKBONES, "--samples", "100")
    known = {one["backbone"]: one["accuracy"] for one in few["backbones"]}
    report = json.loads(next(work.glob("runs/*/run.json")).read_text())
    accuracy = report["probes"][0]["evaluation"]["scores"]["accuracy"]["value"]
    assert known == {"resnet8-cifar10": accuracy, "pixels": None} and set(few["agreement"].values()) == {None}
    assert main(["rank", *BACKBONES, "--samples", "100"]) == 0
    assert "With 3 or more backbones" in capsys.readouterr().out


def test_the_table_says_how_well_each_score_ordered_three_measured_backbones(
    work: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, n in (("few", 1), ("more", 12)):
        layers = f"nn.Conv2d(3, {n}, 3, 4), nn.ReLU(), nn.Flatten(), nn.Linear({16 * n}, 5)"
        made = f"def {name}():\n    torch.manual_seed(0)\n    return nn.Sequential({layers})\n"
        (tmp_path / f"{name}.py").write_text(f"import torch\nfrom torch import nn\n\n{made}")
    names = ["few.py:few=factory", "more.py:more=factory", "resnet8-cifar10"]
    for name in names:
        backbone, _, weights = name.partition("=")
        given = ["--weights", weights] if weights else []
        assert (
            main(["run", "--backbone", backbone, *given, "--head", "ridge", "--grid", "1", "--baseline", "none"]) == 0
        )
    (work / "runs" / "broken").mkdir()
    (work / "runs" / "broken" / "run.json").write_text("{}")
    capsys.readouterr()
    assert main(["rank", *names, "--samples", "300"]) == 0
    out = capsys.readouterr()
    assert "is not a report of a run" in out.err
    assert "LogME: Kendall's τ" in out.out and "with the accuracies of 3 backbones" in out.out
    assert out.out.splitlines()[3].startswith("resnet8-cifar10")


def test_rank_leaves_out_unreadable_samples_if_so_many_are_tolerated(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in folder.glob("train/*/0*.png"):
        file.write_bytes(b"no image")
    what = ["rank", "pixels", "--resize", "8x8", "--dataset", f"folder:{folder}", "--samples", "36"]
    assert main(what) == 3
    assert main([*what, "--max-bad", "30", "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["backbones"][0]["quarantined"] == 30


def test_a_backbone_that_is_not_known_is_an_error_with_a_hint(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "resnet8-cifar1"]) == 2
    assert "did you mean 'resnet8-cifar10'" in capsys.readouterr().err


@pytest.fixture
def defective(folder: Path) -> Path:
    """The folder of pets with a copy within train, one in test, one under two labels, and one with a pixel changed."""
    train, test = folder / "train", folder / "test"
    shutil.copy(train / "cat" / "00.png", train / "cat" / "copy.png")
    shutil.copy(train / "dog" / "01.png", test / "dog" / "leak.png")
    shutil.copy(train / "fox" / "02.png", train / "dog" / "other.png")
    pixels = np.array(Image.open(train / "fox" / "05.png"))
    pixels[0, 0] += 3
    Image.fromarray(pixels).save(test / "fox" / "near.png")
    return folder


def test_health_names_every_defect_of_a_folder(work: Path, defective: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{defective}", "--backbone", "resnet8-cifar10"]
    assert main(["extract", *what]) == 0
    found = answer(capsys, "health", *what)
    copies = {(*sorted(c["train"]), *sorted(c["test"]), c["conflicting"]) for c in found["copies"]}
    assert copies == {
        ("train/cat/00.png", "train/cat/copy.png", False),
        ("train/dog/01.png", "test/dog/leak.png", False),
        ("train/dog/other.png", "train/fox/02.png", True),
    }
    near = {(pair["id"], pair["nearest"]) for pair in found["near_duplicates"]["across"]}
    assert ("test/fox/near.png", "train/fox/05.png") in near
    assert {"test/dog/leak.png", "test/fox/near.png"} <= set(found["leak"]["rows"])
    issues = {issue["id"]: issue for issue in found["label_issues"]}
    assert (issues["train/dog/other.png"]["given"], issues["train/dog/other.png"]["suggested"]) == ("dog", "fox")
    assert found["rows_by_class"] == {"cat": 13, "dog": 13, "fox": 12}
    assert 0 <= found["leak"]["accuracy"]["low"] <= found["leak"]["accuracy"]["value"] <= 1


def test_health_says_it_in_words_and_needs_no_backbone(
    work: Path, defective: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{defective}"]
    assert main(["extract", *what]) == 0
    capsys.readouterr()
    assert main(["health", *what]) == 0
    out = capsys.readouterr()
    assert "loading" not in out.err
    for words in (
        "1 sample both in train and in test\n  train/dog/01.png = test/dog/leak.png",
        "1 sample under different labels\n  train/dog/other.png = train/fox/02.png",
        "test/fox/near.png ≈ train/fox/05.png",
        "without the",
        "no problem found: unreadable samples, NaN and infinity, ",
    ):
        assert words in out.out


def test_health_is_remembered_until_the_features_are_others(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}"]
    assert main(["extract", *what]) == 0
    first = answer(capsys, "health", *what)
    for shard in work.glob("features/*/shards/*.h5"):
        shard.write_bytes(bytes(shard.stat().st_size))  # not read again
    assert answer(capsys, "health", *what) == first
    shutil.copy(folder / "train" / "cat" / "00.png", folder / "test" / "cat" / "leak.png")
    assert main(["extract", *what]) == 0
    assert [one["test"] for one in answer(capsys, "health", *what)["copies"]] == [["test/cat/leak.png"]]
    assert len(list(work.glob("health/*.json"))) == 2


def test_health_without_cached_features_says_what_makes_them(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", "--dataset", f"folder:{folder}"]) == 4
    assert "run `frostline extract` with the same settings first" in capsys.readouterr().err


def test_health_lists_quarantined_samples(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train" / "cat" / "00.png").write_bytes(b"no image")
    what = ["--dataset", f"folder:{folder}", "--max-bad", "1"]
    assert main(["extract", *what]) == 5
    capsys.readouterr()
    assert main(["health", *what, "--json"]) == 5
    found = json.loads(capsys.readouterr().out)
    assert [bad["id"] for bad in found["quarantined"]["train"]] == ["train/cat/00.png"]
    assert found["rows"]["train"] == 35
