"""What is in a zip file, and what is wrong with it: nothing is lost, unpacked, or inflated beyond what it says."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.datasets.containers.members import Part
from frostline.stages.datasets.containers.zip import scan_zip, zip_content
from frostline.stages.errors import DataError, UnreadableSample
from support.archives import forest, pictures, zip_of

DIRECTORY = b"PK\1\2"
BMP = b"BM" + bytes(5000)


def scanned(file: Path) -> Part:
    return scan_zip(LocalBlob(file))


def contents(file: Path, part: Part) -> list[bytes]:
    rows = [row for row in range(len(part)) if row not in part.problems]
    return [zip_content(LocalBlob(file), part.places[row]) for row in rows]


def changed(file: Path, member: int, at: int, form: str, value: int) -> Path:
    """Write another number into one member's entry of the directory."""
    data, place = bytearray(file.read_bytes()), -1
    for _ in range(member + 1):
        place = data.index(DIRECTORY, place + 1)
    struct.pack_into(form, data, place + at, value)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_once_in_the_order_of_the_directory(tmp_path: Path, method: int) -> None:
    members = forest()
    part = scanned(zip_of(tmp_path / "a.zip", [("train/", b""), *members], method))
    assert part.names == [name for name, _ in members] and part.problems == {} and part.notes == ()
    assert contents(tmp_path / "a.zip", part) == [data for _, data in members]


def test_what_is_no_sample_is_told(tmp_path: Path) -> None:
    others = [("README", b"x"), ("a/notes.md", b"x"), ("__MACOSX/train/._0.png", b"x"), (".hidden.png", b"x")]
    part = scanned(zip_of(tmp_path / "a.zip", [*pictures(0, "a/0.png"), *others, ("labels.csv", b"path,label\n")]))
    assert part.names == ["a/0.png"] and [*part.tables] == ["labels.csv"]
    assert part.notes == ("members skipped: .md (1), no ending (1)",)


def test_an_encrypted_member_is_quarantined(tmp_path: Path) -> None:
    file = changed(zip_of(tmp_path / "a.zip", forest()), 1, 8, "<H", 1)
    part = scanned(file)
    assert [*part.problems] == [1] and "encrypted" in part.problems[1] and len(contents(file, part)) == 11


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_another_compression_is_quarantined(tmp_path: Path, method: int) -> None:
    part = scanned(zip_of(tmp_path / "a.zip", pictures(0, "0.png"), method))
    assert f"compressed by method {method}" in part.problems[0]


def test_a_link_is_quarantined(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        info = zipfile.ZipInfo("0.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    assert scanned(tmp_path / "a.zip").problems == {0: "a link"}


@pytest.mark.parametrize("said", [10, 5001, 6000])
def test_no_more_is_inflated_than_a_member_says_it_holds(tmp_path: Path, said: int) -> None:
    file = changed(zip_of(tmp_path / "a.zip", [("0.bmp", BMP)], zipfile.ZIP_DEFLATED), 0, 24, "<I", said)
    assert f"does not hold the {said:,} bytes" in scanned(file).problems[0]


def test_a_member_that_says_it_holds_far_too_much_is_not_inflated(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", [("0.bmp", bytes(70 << 20))], zipfile.ZIP_DEFLATED)
    assert "too many for a sample" in scanned(file).problems[0]


def test_members_in_each_others_place_are_an_error(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", [("0.bmp", BMP), ("1.bmp", BMP)], zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"0.bmp overlaps what follows it, as in a zip bomb"):
        scanned(changed(file, 1, 42, "<I", 20))


def test_a_place_without_a_header_is_an_error(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", [("0.bmp", BMP), ("1.bmp", BMP)])
    with pytest.raises(DataError, match=r"no header of 1.bmp"):
        scanned(changed(file, 1, 42, "<I", 5040))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a/0.png appears twice"):
        scanned(zip_of(tmp_path / "a.zip", [*pictures(0, "a/0.png"), *pictures(1, "a/0.png")]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_bytes_that_are_not_what_the_checksum_says_are_quarantined(tmp_path: Path, method: int) -> None:
    file = zip_of(tmp_path / "a.zip", [("0.bmp", BMP), *pictures(0, "1.png")], method)
    part = scanned(changed(file, 0, 16, "<I", 1))
    assert part.problems == {0: "damaged: its checksum does not match"}


def test_a_zip_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    whole = zip_of(tmp_path / "a.zip", forest()).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "b.zip").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"b.zip is damaged, truncated or not a zip file"):
            scanned(tmp_path / "b.zip")


def test_names_are_utf_8_whatever_the_file_says_and_else_what_dos_wrote(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", [("caf\xe9/0.png", BMP), ("x" * 5 + "/1.png", BMP)])
    data = file.read_bytes().replace("café".encode(), b"cafes").replace(b"xxxxx", "café".encode())
    file.write_bytes(data.replace(b"cafes", b"caf\x82e").replace(b"\0\x08", b"\0\0"))
    assert scanned(file).names == ["cafée/0.png", "café/1.png"]


def test_names_that_lead_out_are_only_names(tmp_path: Path) -> None:
    names = ["/etc/0.png", "a/b/2.png", "c\\d\\3.png"]
    part = scanned(zip_of(tmp_path / "a.zip", pictures(0, *names)))
    assert part.names == ["/etc/0.png", "a/b/2.png", "c/d/3.png"] and [*tmp_path.iterdir()] == [tmp_path / "a.zip"]


def test_images_and_recordings_in_one_file_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 1 images and 1 recordings"):
        scanned(zip_of(tmp_path / "a.zip", [*pictures(0, "0.png"), ("0.wav", b"RIFF")]))


def test_a_zip_behind_a_program_is_read(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", forest(), zipfile.ZIP_DEFLATED)
    file.write_bytes(b"#!/bin/sh\n" * 99 + file.read_bytes())
    assert contents(file, scanned(file)) == [data for _, data in forest()]


def test_content_that_no_longer_inflates_is_unreadable(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "a.zip", [("0.bmp", BMP)], zipfile.ZIP_DEFLATED)
    place = scanned(file).places[0]
    packed = zlib.compress(BMP)[2:-4]
    assert zip_content(LocalBlob(file), place) == BMP and len(packed) == place[1]
    with pytest.raises(UnreadableSample, match="can't be inflated"):
        zip_content(LocalBlob(file), place + np.array([3, 0, 0, 0]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_zip_is_an_error_or_quarantined(tmp_path: Path, data: st.DataObject) -> None:
    """No byte can be changed so that anything but a DataError comes of it, or that other bytes pass for a sample's."""
    members = pictures(0, "a/0.png", "b/1.png")
    whole = bytearray(zip_of(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED).read_bytes())
    for _ in range(data.draw(st.integers(1, 2))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "b.zip").write_bytes(whole)
    try:
        part = scanned(tmp_path / "b.zip")
    except DataError:
        return
    assert set(contents(tmp_path / "b.zip", part)) <= {content for _, content in members}
