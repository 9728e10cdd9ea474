"""Checkpoints that would take any amount of memory are refused before that; those of tensors are read."""

from __future__ import annotations

import codecs
import collections
import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from faults.counts import Points
from faults.strangers import bounded, in_legacy_format, in_zip
from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint
from frostline.stages.errors import ConfigError

GIGABYTES = 1 << 33
ROOM = 1 << 28


class Call:
    """An object whose unpickling calls a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.reduced


CALLS: dict[str, Callable[[], Call]] = {
    "bytes": lambda: Call(bytearray, GIGABYTES),
    "bytes through another": lambda: Call(torch._tensor._rebuild_from_type_v2, bytearray, bytearray, (GIGABYTES,), {}),
    "a number repeated": lambda: Call(
        torch._utils._rebuild_device_tensor_from_cpu_tensor,
        *(torch.zeros(1).expand(GIGABYTES // 4), torch.float64, "cpu", False),
    ),
    "a tensor's class": lambda: Call(torch.FloatTensor, GIGABYTES),
    "a text in another alphabet": lambda: Call(codecs.encode, "x" * 100, "hex"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", [in_zip, in_legacy_format])
@pytest.mark.parametrize("nested", [False, True])
def test_a_checkpoint_that_would_fill_the_memory_is_refused_before_it_does(
    tmp_path: Path, call: str, how: Callable[[object], bytes], nested: bool, points: Points
) -> None:
    made = CALLS[call]()
    file = tmp_path / "weights.pth"
    file.write_bytes(how({"state_dict": {"w": torch.zeros(2), "x": made}} if nested else made))
    assert file.stat().st_size < 10_000
    assert "more than tensors" in bounded(lambda: read_checkpoint(file), ConfigError, ROOM)
    points.add("hostile files")


def doubled(times: int) -> bytes:
    """Return the opcodes of a tuple that holds another twice, which holds another twice, and so on."""
    return b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(times))


# Each a pickle in protocol 2 as PyTorch's reader takes it: `s` hashes a key, `R` calls what was named.
TANGLES: dict[str, tuple[bytes, str]] = {
    "a key of tuples 300,000 deep": (b"})" + b"\x85" * 300_000 + b"K\1s.", "100 deep"),
    "a key that unfolds to 2^45 tuples": (b"}" + doubled(45) + b"K\1s.", "would expand"),
    "a member of a set that does": (b"c__builtin__\nset\n]" + doubled(45) + b"a\x85R.", "would expand"),
    "a key that is written when it is refused": (b"}" + doubled(24) + b"K\1s.", "would expand"),
    "a list that becomes ten thousand sets": (
        b"](]("
        + b"".join(b"M" + struct.pack("<H", i) for i in range(20_000))
        + b"eq\0"
        + b"c__builtin__\nset\nh\0\x85R" * 10_000
        + b"e.",
        "would expand",
    ),
}


@pytest.mark.parametrize("kind", TANGLES)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_that_is_small_and_unfolds_without_end_is_refused_before_it_does(
    tmp_path: Path, kind: str, legacy: bool, points: Points
) -> None:
    tangle, reason = TANGLES[kind]
    made = b"\x80\2" + tangle
    file = tmp_path / "weights.pth"
    if legacy:
        marks = (pickle.dumps(v, 2) for v in (torch.serialization.MAGIC_NUMBER, 1001, {}))
        file.write_bytes(b"".join(marks) + made)
    else:
        file.write_bytes(rewritten(lambda n, d: [(n, made if n.endswith(".pkl") else d)]))
    assert reason in bounded(lambda: read_checkpoint(file), ConfigError, ROOM)
    points.add("hostile files")


def test_a_name_of_megabytes_is_shown_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    for found in ({"\x1b" * 3_000_000: 1}, {"w": torch.zeros(1), ("\x1b" * 3_000_000,): 1}):
        torch.save(found, file)
        with pytest.raises(ConfigError, match="holds no state_dict") as error:
            read_checkpoint(file)
        assert len(str(error.value)) < 3000
    torch.save({"\x1b" * 3_000_000: torch.zeros(1)}, file)
    with pytest.raises(ConfigError, match="missing: weight") as error:
        load_weights(torch.nn.Linear(1, 1), read_checkpoint(file), file)
    assert len(str(error.value)) < 5000 and "…" in str(error.value)


def rewritten(change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> bytes:
    """Return an archive of one tensor whose entries were changed."""
    source, target = zipfile.ZipFile(io.BytesIO(in_zip({"w": torch.zeros(1 << 18)}))), io.BytesIO()
    with zipfile.ZipFile(target, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name in source.namelist():
            for entry in change(name, source.read(name)):
                file.writestr(*entry)
    return target.getvalue()


def bomb() -> bytes:
    return zipfile.ZipFile(io.BytesIO(in_zip(Call(bytearray, GIGABYTES)))).read("archive/data.pkl")


def overlapping() -> bytes:
    """Return an archive with many names for one tensor's bytes."""
    data = in_zip({"w": torch.zeros(1 << 18)})
    archive = zipfile.ZipFile(io.BytesIO(data))
    start, count = archive.start_dir, len(archive.namelist()) + 500
    directory = data[start:]
    place = directory.index(b"archive/data/0") - 46
    one = directory[place : place + 46 + sum(struct.unpack("<HHH", directory[place + 28 : place + 34]))]
    entries = directory[: place + len(one)] + one * 500 + directory[place + len(one) :]
    end = entries.index(b"PK\x06\x06") if b"PK\x06\x06" in entries else entries.index(b"PK\x05\x06")
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, end, start, 0)
    return data[:start] + entries[:end] + tail


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a second pickle of the same name": (
        lambda: rewritten(lambda n, d: [(n, bomb()), (n, d)] if n.endswith(".pkl") else [(n, d)]),
        "more than tensors",
    ),
    "a pickle in capitals": (
        lambda: rewritten(lambda n, d: [(n.upper(), bomb())] if n.endswith(".pkl") else [(n, d)]),
        "more than tensors",
    ),
    "another archive before it": (lambda: in_zip({"w": Call(bytearray, 1)}) + in_zip({"w": torch.zeros(1)}), "begins"),
    "a remark at its end": (lambda: in_zip({"w": torch.zeros(1)})[:-2] + b"\x05\x00 here", "ends with something else"),
    "an old pickle that ends as an archive": (
        lambda: in_legacy_format(Call(bytearray, GIGABYTES)) + rewritten(lambda n, d: [(n, d)]),
        "more than tensors",
    ),
    "entries that overlap": (overlapping, "overlap"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_that_two_readers_could_read_differently_is_refused(
    tmp_path: Path, kind: str, points: Points
) -> None:
    make, reason = ARCHIVES[kind]
    file = tmp_path / "weights.pth"
    file.write_bytes(make())
    assert reason in bounded(lambda: read_checkpoint(file), ConfigError, ROOM)
    points.add("hostile files")


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


BETAS = (0.9, 0.999)
STATE = torch.nn.Sequential(torch.nn.BatchNorm2d(3)).state_dict()
BESIDE: dict[str, Callable[[], Any]] = {
    "numbers of every kind": lambda: {"epoch": 3, "lr": 0.1, "by": {1, 2}, "z": 1j, "none": None},
    "a schedule": lambda: {"milestones": collections.Counter([30, 60]), "size": torch.Size([1, 2])},
    "types and places": lambda: {"dtype": torch.bfloat16, "device": torch.device("cpu")},
    "a tensor of eight bits": lambda: torch.zeros(3).to(torch.float8_e4m3fn),
    "sixteen bits without a sign": lambda: torch.zeros(3, dtype=torch.uint16),
    "a quantized tensor": quantized,
    "a parameter": lambda: torch.nn.Parameter(torch.zeros(3)),
    "an ordered state": lambda: torch.nn.Sequential(torch.nn.BatchNorm2d(3)).state_dict(),
    "an optimizer's": lambda: torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))]).state_dict(),
    "groups that share a tuple": lambda: [{"betas": BETAS, "lr": i} for i in range(1000)],
    "a state that appears twice": lambda: [STATE, {"ema": STATE}],
    "pairs as keys": lambda: {(i, (i, "a")): {(i, i)} for i in range(100)},
    "a storage": lambda: torch.zeros(3).untyped_storage(),
}
# The others PyTorch reads from archives alone.
OLD = [k for k in BESIDE if k not in ("a tensor of eight bits", "sixteen bits without a sign", "a storage")]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of PyTorch, about quantization to come
@pytest.mark.parametrize(("how", "kind"), [*((in_zip, k) for k in BESIDE), *((in_legacy_format, k) for k in OLD)])
def test_what_training_saves_beside_its_tensors_is_no_reason_to_refuse_them(
    tmp_path: Path, how: Callable[[object], bytes], kind: str
) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(how({"state_dict": {"w": torch.arange(3.0)}, "beside": BESIDE[kind]()}))
    assert read_checkpoint(file)["w"].tolist() == [0, 1, 2]
