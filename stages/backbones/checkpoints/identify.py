"""What a file is that is no checkpoint, told by its first bytes; nothing of it is unpacked or run."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

_HEAD = 1024
_SAFETENSORS_HEADER = 100_000_000  # what the format allows
_WEB = re.compile(rb"\s*<(!doctype\s+html|html|head|\?xml|!--)", re.IGNORECASE)
_AGAIN = "download it again, and compare its size with the size given on its download page"
_MAGIC = (
    (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, such as Keras writes; convert its weights to PyTorch's names and layouts first",
    ),
    (b"GGUF", "a GGUF file of a quantized model; use the model's safetensors file"),
    (b"\x93NUMPY", "a NumPy array; save named tensors instead"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first (gunzip, or tar -xzf for a .tar.gz)"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
)
_IN_ARCHIVE = (
    (
        r"/constants\.pkl$|/code/",
        "a TorchScript program; save its tensors: torch.save(torch.jit.load(FILE).state_dict(), OTHER)",
    ),
    (
        r"models/.*\.json$|serialized_exported_program",
        "an exported program; save its tensors: torch.save(torch.export.load(FILE).state_dict, OTHER)",
    ),
    (
        r"^model\.weights\.h5$",
        "a Keras model; convert its weights to PyTorch's names and layouts first",
    ),
    (
        r"\.npy$",
        "NumPy arrays in an archive, such as JAX programs write; convert them to PyTorch's names and layouts first",
    ),
)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as the safetensors format does, whatever its name ends in."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and 0 < int.from_bytes(head[:8], "little") <= _SAFETENSORS_HEADER


def told_apart(path: Path) -> str | None:
    """Return what a file that can't be read as a checkpoint is instead, and what to do; None where that isn't seen."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    size = path.stat().st_size
    if not head:
        return f"it is empty; {_AGAIN}"
    if head.startswith(b"version https://git-lfs"):
        return f"it is a Git LFS pointer of {size} bytes, not the file itself; run `git lfs pull` in its repository"
    if _WEB.match(head):
        return "it is a web page, probably a login or error page; download the file itself"
    if head.startswith(b"PK\3\4"):
        return _archive(path)
    if is_safetensors(path):
        return _cut_safetensors(path, size)
    found = next((what for magic, what in _MAGIC if head.startswith(magic)), None) or _other(path, head)
    return f"it is {found}" if found else None


def _archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return f"it is cut off or damaged: the end of its archive is missing; {_AGAIN}"
    for pattern, what in _IN_ARCHIVE:
        if any(re.search(pattern, name) for name in names):
            return f"it is {what}"
    has_tensors = any(name.lower().endswith("data.pkl") for name in names)
    return None if has_tensors else "it is a zip archive without PyTorch's data.pkl; unpack it first"


def _cut_safetensors(path: Path, size: int) -> str | None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length)
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
        wanted = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        wanted = 8 + length if len(header) < length else size
    return f"it is cut off: {size:,} of {wanted:,} bytes; {_AGAIN}" if size < wanted else None


def _other(path: Path, head: bytes) -> str | None:
    if path.suffix.lower() == ".onnx" or (head[:1] == b"\x08" and head[2:3] == b"\x12" and head[1] < 32):
        return "an ONNX model; use the PyTorch weights that it was exported from"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if b"weight_map" in head:
        return "the index of a checkpoint in several files; join them into one file first"
    text = head.decode("utf-8", "replace")
    printable = sum(c.isprintable() or c in "\r\n\t" for c in text)
    return "a text file; it may say where the weights are" if printable == len(text) and "\ufffd" not in text else None
