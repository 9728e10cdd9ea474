"""Which modality the files of a folder or a table are of."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from frostline.stages.modalities.audio.modality import RECORDINGS
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.text.modality import TEXT
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
    assert "1 file skipped, without a recording extension: train/low/cover.png" in found.notes


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
    with pytest.raises(DataError, match="24 recordings and 1 image; expected files of one kind"):
        open_dataset(f"csv:{table}")


def test_a_file_that_is_too_large_is_not_read(tones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(RECORDINGS), "max_bytes", 40_000)
    found = open_dataset(f"folder:{tones}")
    assert found.train.problems
    assert all(why.startswith("too large (") for why in found.train.problems.values())


def said(folder: Path, each: int = 12) -> Path:
    for split in ("train", "test"):
        for label in ("cats", "dogs"):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(each):
                (place / f"{i}.txt").write_text(f"{label} number {i} of {split}\n")
    return folder


def test_a_folder_of_texts_has_its_splits_and_classes(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    (folder / "README.txt").write_text("what this is")
    found = open_dataset(f"folder:{folder}")
    assert [(one.modality, len(one), one.targets.names) for one in found.splits] == [
        (TEXT, 24, ("cats", "dogs")),
        (TEXT, 24, ("cats", "dogs")),
    ]
    assert found.train.ids[0] == "train/cats/0.txt" and found.train.read(0) == "cats number 0 of train"


def test_a_text_has_the_digest_of_a_cell_of_the_same_text(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    content = "\ufeff  zwei Wörter,\nin zwei Zeilen \r\n"
    (folder / "train" / "cats" / "0.txt").write_bytes(content.encode())
    (tmp_path / "said.csv").write_text(
        'text,label,split\n"zwei Wörter,\nin zwei Zeilen",a,train\nx,b,train\ny,a,test\n'
    )
    of_file, of_cell = (open_dataset(name).train for name in (f"folder:{folder}", f"csv:{tmp_path / 'said.csv'}"))
    assert of_file.digests[0].tobytes() == of_cell.digests[0].tobytes()
    assert of_file.read(0) == of_cell.read(0) == "zwei Wörter,\nin zwei Zeilen"
    (folder / "train" / "cats" / "0.txt").write_text("another text")
    with pytest.raises(DataError, match="changed while it was being read"):
        of_file.read(0)


def test_texts_in_other_encodings_and_empty_ones_are_quarantined(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    for i, data in enumerate(["Wörter".encode("latin-1"), "words".encode("utf-16"), b" \n"]):
        (folder / "train" / "cats" / f"{i}.txt").write_bytes(data)
    problems = open_dataset(f"folder:{folder}").train.problems
    assert sorted(problems.values()) == [
        "an empty text",
        "it contains NUL bytes: not a text, or not in UTF-8",
        "not UTF-8 (byte 1 is 0xf6)",
    ]


def test_a_few_pictures_among_texts_are_passed_over_and_more_are_the_samples(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    picture(folder / "train" / "cats" / "cover.png")
    found = open_dataset(f"folder:{folder}")
    assert (found.train.modality, len(found.train)) == (TEXT, 24)
    assert "1 file skipped, without a text extension: train/cats/cover.png" in found.notes
    for file in sorted(folder.rglob("[0-8].txt")):
        picture(file.with_suffix(".png"))
    found = open_dataset(f"folder:{folder}")
    assert (found.train.modality, len(found.train)) == ("image", 19)
    assert any(note.startswith("48 files skipped, without an image extension: ") for note in found.notes)


def test_linked_folders_of_texts_are_seen_once_and_circles_end(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    (folder / "train" / "dogs").rename(tmp_path / "elsewhere")
    (folder / "train" / "dogs").symlink_to(tmp_path / "elsewhere")
    (folder / "train" / "cats" / "up").symlink_to(folder)
    assert [len(one) for one in open_dataset(f"folder:{folder}").splits] == [24, 24]


def test_an_unlabelled_test_split_of_texts_is_said_to_be_one(tmp_path: Path) -> None:
    folder = said(tmp_path / "said")
    for label in ("cats", "dogs"):
        for file in (folder / "test" / label).iterdir():
            file.rename(folder / "test" / f"{label}{file.name}")
        (folder / "test" / label).rmdir()
    found = open_dataset(f"folder:{folder}")
    assert any("test/ not used: 24 samples without class folders" in note for note in found.notes)
