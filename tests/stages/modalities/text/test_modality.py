"""What is no text is quarantined with a reason; what is one comes without the spaces around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.stages.datasets.files import file_bytes
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.modalities.text.modality import MOST_BYTES

TEXT = MODALITIES.load("text")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty text"),
        (b" \t\r\n\xe2\x80\x83", "an empty text"),
        (b"caf\xe9", "not UTF-8 (byte 3 is 0xe9)"),
        ("what".encode("utf-16"), "NUL bytes"),
        (b"a\0b", "NUL bytes"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"a" * (MOST_BYTES + 1), "expected at most 16,777,216"),
    ],
)
def test_what_is_no_text_says_why(data: bytes, reason: str) -> None:
    assert reason in (TEXT.find_fault(data) or "")
    with pytest.raises(UnreadableSample) as error:
        TEXT.decode(data)
    assert reason in str(error.value)


def test_a_text_is_itself_without_the_spaces_around_it() -> None:
    for data in (b"a b\n", b"\xef\xbb\xbfa b", b"  a b "):
        assert (TEXT.decode(data), TEXT.find_fault(data)) == ("a b", None)


def test_a_page_shows_a_line_of_it() -> None:
    assert TEXT.preview("one\n\n two").text == "one two"
    assert len(TEXT.preview("long " * 1000).text) <= 160 and TEXT.preview("long " * 1000).text.endswith("…")


def test_a_file_of_too_many_bytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    with pytest.raises(UnreadableSample, match=r"too large \(16,777,217 bytes; at most 16,777,216 are supported\)"):
        file_bytes(file, TEXT.max_bytes)
