"""A file that is no checkpoint is called by what it is."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from frostline.stages.backbones.checkpoints.read import read_checkpoint
from frostline.stages.errors import ConfigError


def of_torch(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return file.getvalue()


def hdf5(tmp: Path) -> bytes:
    with h5py.File(tmp / "x.h5", "w") as file:
        file["w"] = [1.0]
    return (tmp / "x.h5").read_bytes()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return file.getvalue()


def onnx() -> bytes:
    return b"\x08\x08\x12\x07pytorch\x1a\x032.1:\x80\x01" + b"\x0a" * 200


WEIGHTS = {"w": torch.zeros(500), "v": torch.ones(500)}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 102400\n"
KINDS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "nothing": (lambda _: b"", "it is empty; download it again"),
    "a pointer": (lambda _: POINTER, r"a Git LFS pointer of 75 bytes.*git lfs pull"),
    "a page": (lambda _: b"\n <!DOCTYPE html><html><body>Log in</body></html>", "it is a web page"),
    "a page of errors": (
        lambda _: b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "it is a web page",
    ),
    "half an archive": (lambda _: of_torch(lambda f: torch.save(WEIGHTS, f))[:3000], "cut off or damaged: the end"),
    "half of safetensors": (lambda _: save(WEIGHTS)[:2000], r"cut off: 2,000 of 4,\d\d\d bytes"),
    "a piece of its header": (lambda _: save(WEIGHTS)[:50], r"cut off: 50 of \d+ bytes"),
    "half of an old file": (
        lambda _: of_torch(lambda f: torch.save(WEIGHTS, f, _use_new_zipfile_serialization=False))[:1000],
        "it is cut off|damaged",
    ),
    "TorchScript": (lambda _: of_torch(lambda f: torch.jit.save(torch.jit.script(nn.Linear(2, 2)), f)), "TorchScript"),
    "an exported program": (lambda _: zipped("archive_format", "models/model.json"), "an exported program"),
    "ONNX": (lambda _: onnx(), "an ONNX model"),
    "HDF5": (hdf5, "an HDF5 file, such as Keras writes"),
    "Keras": (lambda _: zipped("config.json", "model.weights.h5"), "a Keras model"),
    "NumPy's archive": (lambda _: of_torch(lambda f: np.savez(f, a=np.ones(3))), "NumPy arrays in an archive"),
    "a NumPy array": (lambda _: of_torch(lambda f: np.save(f, np.ones(3))), "a NumPy array"),
    "GGUF": (lambda _: b"GGUF\x03\0\0\0" + bytes(50), "a GGUF file"),
    "gzip": (lambda _: b"\x1f\x8b\x08" + bytes(50), "compressed by gzip; unpack it first"),
    "tar": (lambda _: tarred(), "a tar archive; unpack it first"),
    "zip": (lambda _: zipped("weights/readme.md"), r"a zip archive without PyTorch's data.pkl; unpack it first"),
    "an index": (lambda _: b'{"metadata": {}, "weight_map": {"w": "model-00001-of-00002.safetensors"}}', "the index"),
    "a text": (lambda _: b"see https://example.org/weights.pth\n", "a text file"),
    "an image": (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG image"),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch.jit
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_named_and_what_to_do_is_said(tmp_path: Path, kind: str, ending: str) -> None:
    make, said = KINDS[kind]
    file = tmp_path / f"weights.{ending}"
    file.write_bytes(make(tmp_path))
    with pytest.raises(ConfigError, match=rf"can't load the weights .*weights.{ending}: .*({said})") as error:
        read_checkpoint(file)
    assert len(str(error.value).splitlines()) <= 3


def test_bytes_that_are_nothing_known_are_not_called_anything(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(bytes(range(128, 256)) * 9)
    with pytest.raises(ConfigError, match="can't load the weights") as error:
        read_checkpoint(file)
    assert "it is" not in str(error.value)
