"""Which modality the files of a folder or a table are of."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from frostline.stages.modalities.audio.modality import RECORDINGS
from frostline.stages.modalities.audio.waveform import AUDIO
from support.audio_folders import encoded, save_tones, tone


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return save_tones(tmp_path / "tones", 12)


def picture(file: Path) -> None:
    Image.new("RGB", (8, 8)).save(file)


def test_a_folder_of_recordings_has_its_splits_and_classes(tones: Path) -> None:
    found = open_dataset(f"folder:{tones}")
    assert [(one.modality, len(one), one.targets.names) for one in found.splits] == [
        (AUDIO, 24, ("high", "low")),
        (AUDIO, 12, ("high", "low")),
    ]
    assert found.train.read(0).rate == 16_000


def test_a_few_pictures_among_recordings_are_passed_over_with_a_note(tones: Path) -> None:
    picture(tones / "train" / "low" / "cover.png")
    found = open_dataset(f"folder:{tones}")
    assert len(found.train) == 24
    assert "1 file passed over, no recording ending: train/low/cover.png" in found.notes


def test_images_stay_images_beside_fewer_recordings(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(10):
            Image.new("RGB", (8, 8), (i, 0, ord(label))).save(tmp_path / label / f"{i}.png")
    (tmp_path / "a" / "song.wav").write_bytes(encoded(tone(0.1)))
    found = open_dataset(f"folder:{tmp_path}")
    assert (found.train.modality, len(found.train) + len(found.test)) == ("image", 20)


def test_as_many_pictures_as_recordings_are_a_question(tones: Path) -> None:
    for file in sorted(tones.rglob("*.wav")):
        picture(file.with_suffix(".png"))
    with pytest.raises(DataError, match=r"holds 36 .*s and 36 .*s: which are the samples"):
        open_dataset(f"folder:{tones}")


def test_a_table_of_recordings_and_one_of_both(tones: Path) -> None:
    rows = [
        f"{split}/{label}/{i}.wav,{label},{split}"
        for split in ("train", "test")
        for label in ("high", "low")
        for i in range(6)
    ]
    table = tones / "clips.csv"
    table.write_text("\n".join(["path,label,split", *rows]))
    found = open_dataset(f"csv:{table}")
    assert [(one.modality, len(one)) for one in found.splits] == [(AUDIO, 12), (AUDIO, 12)]
    picture(tones / "x.png")
    table.write_text("\n".join(["path,label,split", *rows, "x.png,low,train"]))
    with pytest.raises(DataError, match="24 recordings and 1 image; wanted files of one kind"):
        open_dataset(f"csv:{table}")


def test_a_file_that_is_too_large_is_not_read(tones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(RECORDINGS), "max_bytes", 40_000)
    found = open_dataset(f"folder:{tones}")
    assert found.train.problems
    assert all(why.startswith("too large (") for why in found.train.problems.values())
