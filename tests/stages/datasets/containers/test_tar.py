"""What is in a tar file, and what is wrong with it: nothing is lost, unpacked or followed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.datasets.containers.components import split_name
from frostline.stages.datasets.containers.members import Part
from frostline.stages.datasets.containers.tar import scan_tar, tar_content
from frostline.stages.errors import DataError
from support.archives import pictures, shard, tar_of


def scanned(file: Path, asked: str | None = None) -> Part:
    return scan_tar(LocalBlob(file), asked)


def contents(file: Path, part: Part) -> list[bytes]:
    return [tar_content(LocalBlob(file), place) for place in part.places]


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("001.jpg", ("001", "jpg")),
        ("cats.v2/001.seg.PNG", ("cats.v2/001", "seg.png")),
        ("/abs/001.jpg", ("/abs/001", "jpg")),
        ("../001.jpg", ("../001", "jpg")),
        ("README", None),
        ("a/.hidden", None),
        ("a/b.", None),
        ("", None),
    ],
)
def test_a_name_is_a_key_up_to_the_first_dot_of_its_last_part(name: str, parts: tuple[str, str] | None) -> None:
    assert split_name(name) == parts


def test_samples_come_once_in_order_with_what_lies_beside_them(tmp_path: Path) -> None:
    members = shard(0, 3)
    part = scanned(tar_of(tmp_path / "a.tar", members))
    assert part.names == ["000.png", "001.png", "002.png"] and part.modality == "image" and part.problems == {}
    assert contents(tmp_path / "a.tar", part) == [data for name, data in members if name.endswith("png")]
    assert part.cells == {"cls": ["0", "1", "0"], "patient": ["p0", "p1", "p2"], "age": ["20", "21", "22"]}
    assert part.notes == ()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_header_is_read(tmp_path: Path, form: int) -> None:
    name = f"{'folder/' * 12}{'n' * 40}.png" if form == tarfile.USTAR_FORMAT else f"{'ö' * 90}/{'n' * 150}.png"
    ((_, data),) = pictures(0, name)
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = len(data), 1.5
        tar.addfile(info, io.BytesIO(data))
    part = scanned(tmp_path / "a.tar")
    assert part.names == [name] and contents(tmp_path / "a.tar", part) == [data]


def test_components_of_a_sample_need_not_lie_together(tmp_path: Path) -> None:
    members = shard(0, 4)
    images = sorted(members, key=lambda member: not member[0].endswith("png"))
    assert scanned(tar_of(tmp_path / "a.tar", images)).cells == scanned(tar_of(tmp_path / "b.tar", members)).cells


def test_samples_are_in_the_order_of_their_images(tmp_path: Path) -> None:
    members = [("b.cls", b"1"), ("a.cls", b"0"), *pictures(0, "a.png", "b.png")]
    part = scanned(tar_of(tmp_path / "a.tar", members))
    assert (part.names, part.cells["cls"]) == (["a.png", "b.png"], ["0", "1"])


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (pictures(9, "000.png"), "000.png appears twice"),
        ([("000.cls", b"1")], "000.cls: appears twice"),
        ([("000.json", b"{}")], "000.json: appears twice"),
        (
            pictures(9, "001.jpg"),
            r"001.png and 001.jpg have the same name: which one is the sample\? Choose with --input",
        ),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path, again: list[tuple[str, bytes]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        scanned(tar_of(tmp_path / "a.tar", [*shard(0, 2), *again]))


def test_which_of_several_images_is_the_sample_can_be_said(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [m for i in range(2) for m in pictures(5 * i, f"{i}.left.png", f"{i}.png")])
    assert scanned(file, "left.png").names == ["0.left.png", "1.left.png"]
    assert scanned(file, "png").names == ["0.png", "1.png"]
    assert scanned(file, "png").notes == ("members skipped: .left.png (2)",)
    with pytest.raises(DataError, match="--input xml: expected the ending of images or recordings"):
        scanned(file, "xml")
    with pytest.raises(DataError, match=r"by --input left.png or --input png, which ignores the others; or rename"):
        scanned(file)


def test_no_image_is_left_out_because_of_a_dot_in_its_name(tmp_path: Path) -> None:
    names = [f"cat/{i}.png" for i in range(9)]
    file = tar_of(tmp_path / "a.tar", pictures(0, *names, "cat/0.1.png", "cat/1.copy.png"))
    with pytest.raises(DataError, match=r"second image of the name cat/0, in addition to cat/0.png") as error:
        scanned(file)
    assert "cat/1.copy.png: a second image of the name cat/1" in str(error.value)
    assert "by --input png, which ignores the others; or rename them" in str(error.value)


def test_each_component_that_all_samples_have_is_suggested(tmp_path: Path) -> None:
    names = [f"{i}.{side}.png" for i in range(3) for side in ("left", "right")]
    texts = [(f"{i}.txt", b"a text") for i in range(3)]
    with pytest.raises(
        DataError, match=r"0.left.png: a name with several dots(.|\n)*by --input left.png or --input righ"
    ):
        scanned(tar_of(tmp_path / "a.tar", [*pictures(0, *names), *texts]))


@pytest.mark.parametrize("names", [("IMG_0.png", "IMG_1.2.png"), tuple(f"cat/IMG.{i}.png" for i in range(10))])
def test_images_whose_names_have_several_dots_are_to_be_renamed(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(
        DataError, match=r"a name with several dots(.|\n)*first dot. Rename them: no dot except"
    ) as error:
        scanned(tar_of(tmp_path / "a.tar", pictures(0, *names)))
    assert "--input" not in str(error.value)


def test_texts_and_recordings_of_several_dots_beside_images_are_told(tmp_path: Path) -> None:
    others = [("0.caption.txt", b"a text"), ("0.en.wav", b"RIFF")]
    part = scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "0.png"), *others]))
    assert (part.names, part.notes) == (["0.png"], ("members skipped: .caption.txt (1), .en.wav (1)",))


def test_texts_are_samples_where_there_are_no_images_and_cells_where_there_are(tmp_path: Path) -> None:
    texts = [("0.txt", "ein Wörtchen\n".encode()), ("0.cls", b"a"), ("1.txt", b"\xff"), ("1.cls", b"b")]
    part = scanned(tar_of(tmp_path / "a.tar", texts))
    assert (part.modality, part.names, part.problems) == ("text", ["0.txt", "1.txt"], {1: "not UTF-8 (byte 0 is 0xff)"})
    assert part.cells == {"cls": ["a", "b"]}
    part = scanned(tar_of(tmp_path / "b.tar", [*texts, *pictures(0, "0.png", "1.png")]))
    assert (part.modality, part.cells["txt"]) == ("image", ["ein Wörtchen", ""])
    assert scanned(tmp_path / "b.tar", "txt").modality == "text"


def test_images_and_recordings_in_one_file_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images and recordings: which are the samples"):
        scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "0.png"), ("0.wav", b"RIFF")]))
    for modality, name, other in (("image", "0.png", "recording"), ("audio", "0.wav", "image")):
        part = scan_tar(LocalBlob(tmp_path / "a.tar"), None, modality)
        assert (part.names, part.notes, part.is_choice) == ([name], (f"1 {other} not used",), True)


def test_what_is_no_sample_is_told(tmp_path: Path) -> None:
    others = [("README", b"x"), ("._000.png", b"x"), ("000.seg.npy", b"x"), ("info.json", b"{}"), ("c.cls", b"1")]
    part = scanned(tar_of(tmp_path / "a.tar", [special("d", tarfile.DIRTYPE), *shard(0, 1), *others]))
    assert part.names == ["000.png"] and part.notes == (
        "members skipped: .seg.npy (1), a name without a key and an ending (2)",
        "2 names without a sample skipped, such as info",
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe", r"000.cls: not UTF-8 \(byte 0\)"),
        (b"x" * (1 << 20) + b"y", "000.cls: 1,048,577 bytes; expected at most 1,048,576"),
    ],
)
def test_a_class_that_is_no_text_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "000.png"), ("000.cls", data)]))


@pytest.mark.parametrize("text", [b"{", b"[1]", b"", b"[" * 100_000])
def test_fields_that_are_no_object_are_an_error(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError, match=r"000.json: "):
        scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "000.png"), ("000.json", text)]))


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (special("1.png", tarfile.SYMTYPE, "/etc/passwd"), "a link to /etc/passwd; use tar --dereference"),
        (special("1.png", tarfile.LNKTYPE, "0.png"), "a link to 0.png"),
        (special("1.png", tarfile.FIFOTYPE), "not a regular file"),
        (special("1.png", tarfile.CHRTYPE), "not a regular file"),
    ],
)
def test_links_and_devices_are_quarantined_with_a_reason(tmp_path: Path, member: tarfile.TarInfo, reason: str) -> None:
    part = scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "0.png"), member, *pictures(1, "2.png")]))
    assert part.names == ["0.png", "1.png", "2.png"] and [*part.problems] == [1] and reason in part.problems[1]


def test_a_sparse_member_is_quarantined(tmp_path: Path) -> None:
    sparse = special("1.png", tarfile.GNUTYPE_SPARSE)
    part = scanned(tar_of(tmp_path / "a.tar", [*pictures(0, "0.png"), sparse]))
    assert "sparse" in part.problems[1] and len(part) == 2


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (gzip.compress, "gzip: .* Unpack it: gunzip"),
        (bz2.compress, "bzip2: .* bunzip2"),
        (lzma.compress, "xz: .* unxz"),
        (lambda _: b"\x28\xb5\x2f\xfd" + bytes(99), "zstd: .* unzstd"),
    ],
)
def test_a_compressed_tar_is_refused_with_what_to_do(tmp_path: Path, pack, said: str) -> None:
    file = tar_of(tmp_path / "a.tar", shard(0, 2))
    file.write_bytes(pack(file.read_bytes()))
    with pytest.raises(DataError, match=said):
        scanned(file)


def test_a_tar_that_is_cut_off_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "a.tar", shard(0, 2)).read_bytes().rstrip(b"\0")
    for length in range(0, len(whole), 256):
        (tmp_path / "b.tar").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"b.tar"):
            scanned(tmp_path / "b.tar")


def test_the_mark_of_the_end_is_missed(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", pictures(0, "0.png"))
    end = 512 + -(-len(pictures(0, "0.png")[0][1]) // 512) * 512
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(DataError, match="is truncated: the end marker"):
        scanned(file)


def test_a_damaged_header_in_the_middle_does_not_pass_for_the_end(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [("0.cls", b"1"), *pictures(0, "0.png", "1.png")])
    data = bytearray(file.read_bytes())
    data[1024 + 148] ^= 1  # the checksum of the second header
    file.write_bytes(data)
    with pytest.raises(DataError, match="no header where a member should begin, at byte 1,024"):
        scanned(file)


def test_tars_that_were_joined_by_cat_are_an_error(tmp_path: Path) -> None:
    one, two = (tar_of(tmp_path / name, pictures(i, f"{i}.png")) for i, name in enumerate(("a.tar", "b.tar")))
    one.write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(DataError, match="has data after its end"):
        scanned(one)


def test_an_empty_tar_has_no_sample_and_an_empty_file_is_none(tmp_path: Path) -> None:
    assert len(scanned(tar_of(tmp_path / "a.tar", []))) == 0
    (tmp_path / "b.tar").touch()
    with pytest.raises(DataError, match="is empty: expected a tar file"):
        scanned(tmp_path / "b.tar")
    (tmp_path / "c.tar").write_bytes(b"no tar at all" * 99)
    with pytest.raises(DataError, match="damaged or not a tar file"):
        scanned(tmp_path / "c.tar")


def test_names_that_lead_out_are_only_names(tmp_path: Path) -> None:
    names = ["/etc/0.png", "../../1.png", "a/../2.png"]
    (tmp_path / "in").mkdir()
    before = sorted(tmp_path.rglob("*"))
    part = scanned(tar_of(tmp_path / "in" / "a.tar", pictures(0, *names)))
    assert part.names == names and sorted(tmp_path.rglob("*")) == [*before, tmp_path / "in" / "a.tar"]


def test_names_need_not_be_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9/0.png".decode(errors="surrogateescape")
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
    assert [*scanned(tmp_path / "a.tar").names] == [name]


def test_a_member_of_less_than_no_bytes_does_not_go_round_in_circles(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [("0.txt", b"one"), ("1.txt", b"two")])
    data, header = bytearray(file.read_bytes()), 1024
    size = header + 124
    data[size : size + 12] = b"\xff" + (-header - 512).to_bytes(11, "big", signed=True)  # back to the first member
    data[header + 148 : header + 156] = b" " * 8
    data[header + 148 : header + 155] = b"%06o\0" % sum(data[header : header + 512])
    file.write_bytes(data)
    with pytest.raises(DataError, match="a member has a negative size"):
        scanned(file)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_tar_is_an_error_or_read_whole(tmp_path: Path, data: st.DataObject) -> None:
    """No byte of a header can be changed so that anything but a DataError comes of it, or a sample goes missing."""
    whole = bytearray(tar_of(tmp_path / "a.tar", shard(0, 2)).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "b.tar").write_bytes(whole)
    try:
        part = scanned(tmp_path / "b.tar")
    except DataError:
        return
    assert np.isin(part.places[:, 1], range(len(whole))).all() and len(part.digests) == len(part.names) <= 2
    contents(tmp_path / "b.tar", part)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_places_are_those_that_tarfile_finds(tmp_path: Path, form: int) -> None:
    names = ["a.png", "ö/b.png", f"{'d' * 90}/{'n' * 60}.png", "x" * 99 + "/c.png", "e.png"]
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        for i, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = i * 511
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    with tarfile.open(tmp_path / "a.tar") as tar:
        wanted = [(member.name, [member.offset_data, member.size]) for member in tar]
    part = scanned(tmp_path / "a.tar")
    assert [*zip(part.names, part.places.tolist(), strict=True)] == wanted
