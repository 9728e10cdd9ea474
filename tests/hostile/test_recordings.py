"""Recordings from strangers: each is used, or left out for a reason, in bounded memory; mutated ones crash nothing."""

from __future__ import annotations

import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faults.children import Child
from faults.counts import Points
from faults.strangers import bounded
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.audio.decode import decode, find_fault
from frostline.stages.modalities.audio.spectrum import MeanSpectrum
from support.audio_folders import RATE, encoded, save_tones, tone

MUTATIONS = 2_000
SECOND = tone(1.0)
ROOM = 256 << 20


def riff(
    *chunks: tuple[bytes, bytes], size: int | None = None, sizes: dict[bytes, int] | None = None, kind: bytes = b"RIFF"
) -> bytes:
    """Return a WAV file of chunks, whose ``sizes``, and that of the whole, may be others than they are."""
    said = sizes or {}
    body = b"WAVE" + b"".join(name + struct.pack("<I", said.get(name, len(data))) + data for name, data in chunks)
    return kind + struct.pack("<I", len(body) if size is None else size) + body


def sound(channels: int = 1, rate: int = RATE, align: int = 2, bits: int = 16, code: int = 1) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", code, channels, rate, min(rate * align, 2**32 - 1), align, bits)


DATA = (b"data", b"\1\0" * RATE)
LONG_SIZES = (b"ds64", struct.pack("<QQQI", 1 << 60, 1 << 60, 1 << 60, 0))
LEFT_OUT: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "four letters": lambda: b"RIFF",
    "an audio chunk of 4 GB": lambda: riff(sound(), DATA, sizes={b"data": 0xFFFFFFF0}),
    "an audio chunk of an exabyte": lambda: riff(sound(), LONG_SIZES, DATA, sizes={b"data": 2**32 - 1}, kind=b"RF64"),
    "a format chunk of 4 GB": lambda: riff(sound(), DATA, sizes={b"fmt ": 0xFFFFFFF0}),
    "a format chunk of nothing": lambda: riff((b"fmt ", b""), DATA),
    "no format": lambda: riff(DATA),
    "no audio chunk": lambda: riff(sound()),
    "a million chunks": lambda: riff(*[(b"junk", b"")] * 1_000_000),
    "no channels": lambda: riff(sound(channels=0), DATA),
    "65,535 channels": lambda: riff(sound(channels=65_535, align=65_534), DATA),
    "no rate": lambda: riff(sound(rate=0), DATA),
    "4 GHz": lambda: riff(sound(rate=2**32 - 1), DATA),
    "1 Hz": lambda: riff(sound(rate=1), DATA),
    "no bits": lambda: riff(sound(bits=0, align=0), DATA),
    "65,535 bits": lambda: riff(sound(bits=65_535), DATA),
    "a coding that there is not": lambda: riff(sound(code=0x7777), DATA),
    "no samples": lambda: riff(sound(), (b"data", b"")),
    "one sample": lambda: encoded(tone(1 / RATE)),
    "NaN": lambda: encoded(np.full(RATE, np.nan, np.float32), subtype="FLOAT"),
    "infinity": lambda: encoded(np.full(RATE, -np.inf, np.float32), subtype="DOUBLE"),
    "a cut WAV": lambda: encoded(SECOND)[:-2],
    "a cut FLAC": lambda: encoded(SECOND, kind="FLAC")[:-400],
    "a cut Ogg": lambda: encoded(tone(9.0), kind="OGG")[:-400],
    "a FLAC that says 2**36 - 1 samples": lambda: flac_of(2**36 - 1),
    "over an hour of silence in a few kB": lambda: encoded(np.zeros(4_200 * RATE, np.float32), kind="FLAC"),
    "Oggs one after the other": lambda: encoded(SECOND, kind="OGG") * 3,
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 500,
    "a text": lambda: b"no sound " * 100,
    "an archive": lambda: b"PK\3\4" + b"\0" * 500,
    "pages of an Ogg without sound": lambda: b"OggS\0\2" + b"\0" * 20 + b"\1\x10" + b"\0" * 16,
    "a playlist": lambda: b"#EXTM3U\n/etc/passwd\nhttp://127.0.0.1/x.mp3\n",
}
USED: dict[str, Callable[[], bytes]] = {
    "eight channels": lambda: encoded(np.stack([SECOND] * 8, axis=1)),
    "a wrong ending": lambda: encoded(SECOND, kind="FLAC"),
    "a whole that is said to be of 4 GB": lambda: riff(sound(), DATA, size=2**32 - 1),
    "a stream that says no length": lambda: riff(sound(), DATA, sizes={b"data": 2**32 - 1}),
    "a chunk of rubbish before it": lambda: riff((b"junk", b"\xff" * 1002), sound(), DATA),
    "silence": lambda: encoded(np.zeros(RATE, np.float32)),
    "numbers up to 1e30": lambda: encoded(SECOND * np.float32(1e30), subtype="FLOAT"),
}


def flac_of(samples: int) -> bytes:
    """Return a FLAC whose header says so many samples."""
    data = bytearray(encoded(SECOND, kind="FLAC"))
    said = int.from_bytes(data[18:26], "big")
    data[18:26] = (said >> 36 << 36 | samples).to_bytes(8, "big")
    return bytes(data)


def use(data: bytes) -> None:
    """Do with a recording what a run does."""
    spectrum = MeanSpectrum().item(decode(data))["spectrum"]
    if not np.isfinite(spectrum).all():
        raise UnreadableSample("not finite")


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_recording_that_lies_is_left_out_for_a_reason_in_bounded_memory(name: str, points: Points) -> None:
    data = LEFT_OUT[name]()
    said = bounded(lambda: use(data), UnreadableSample, room=ROOM)
    assert len(said) < 300
    assert find_fault(data) in (None, said)
    points.add("hostile recordings")


@pytest.mark.parametrize("name", USED)
def test_a_recording_that_is_only_odd_is_used(name: str, points: Points) -> None:
    use(USED[name]())
    points.add("hostile recordings")


def test_a_folder_of_all_of_them_has_its_sound_ones(tmp_path: Path) -> None:
    folder = save_tones(tmp_path / "tones", 4)
    for kind in (LEFT_OUT, USED):
        for i, made in enumerate(kind.values()):
            (folder / "train" / "low" / f"{'bad' if kind is LEFT_OUT else 'odd'}{i}.wav").write_bytes(made())
    train = open_dataset(f"folder:{folder}").train
    left_out = set()
    for row, name in enumerate(train.ids):
        try:
            MeanSpectrum().item(train.read(row))
        except UnreadableSample:
            left_out.add(name)
    assert left_out == {name for name in train.ids if "/bad" in name}
    assert len(left_out) == len(LEFT_OUT)


def test_mutated_recordings_crash_nothing_and_hang_nothing(points: Points) -> None:
    seeds = [
        encoded(tone(0.2), kind=kind, subtype=subtype)
        for kind, subtype in (
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAV", "IMA_ADPCM"),
            ("FLAC", None),
            ("OGG", "VORBIS"),
            ("MP3", None),
        )
    ]

    def go(tell: Callable[[str], object]) -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)))
        rng, good, slowest = np.random.default_rng(0), 0, 0.0
        for i in range(MUTATIONS):
            data, started = mutated(seeds[i % len(seeds)], rng), time.process_time()
            good += is_used(data)
            slowest = max(slowest, time.process_time() - started)
        tell(f"{good} {slowest:.1f}")

    child = Child(go)
    assert child.wait() == 0
    good, slowest = map(float, child.told[0].split())
    assert MUTATIONS / 20 < good < MUTATIONS * 19 / 20
    assert slowest < 60  # none hangs
    points.add("mutated recordings", MUTATIONS)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with some bytes changed, most of them in its header, or an end cut off, or a part repeated."""
    found = bytearray(data)
    for place in (rng.random(rng.integers(1, 8)) ** 4 * len(found)).astype(int).tolist():
        found[place] = int(rng.integers(256))
    cut = int(rng.integers(len(found)))
    return bytes({0: found[:cut], 1: found[:cut] + found[cut // 2 :]}.get(int(rng.integers(6)), found))


def is_used(data: bytes) -> bool:
    try:
        use(data)
    except UnreadableSample as error:
        assert str(error).strip()
        return False
    return True
