"""Images/s of decoders alone, by number of threads; and whether torchvision's pixels are Pillow's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from benchmarks.common.images import SIZES
from frostline.stages.backbones import item_for
from frostline.stages.modalities.image.decode import decode
from tools.gpu.bench import Bench
from tools.gpu.report import Found

_THREADS, _COMPARED = (1, 4, 16), 64
Decode = Callable[[bytes], object]


def decoding(bench: Bench, found: Found) -> None:
    for kind in SIZES:
        files = _files(bench.images(kind), max(16, int(4000 * bench.scale)))
        for way, work in _ways(bench, kind).items():
            for threads in _THREADS:
                part = files[: max(16, len(files) * threads // _THREADS[-1])]
                found[f"{kind}, {way}, {threads} threads"] = _rate(bench, work, part, threads)
        found[f"{kind}, torchvision's pixels are Pillow's"] = _alike(files[:_COMPARED])
        if bench.on_gpu:
            _nvjpeg(bench, found, kind, files)


def _files(folder: Path, most: int) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("train/*/*"))[:most]]


def _ways(bench: Bench, kind: str) -> dict[str, Decode]:
    spec = bench.network(bench.networks[0]).spec

    def pillow(data: bytes) -> object:
        image = decode(data)
        return np.asarray(image) if kind == "thumbnails" else item_for(image, spec)

    whole = "Pillow" if kind == "thumbnails" else "Pillow, resized and cropped"
    return {whole: pillow, "torchvision, decoded alone": _torchvision}


def _torchvision(data: bytes) -> Tensor:
    pixels: Tensor = decode_jpeg(_encoded(data), ImageReadMode.RGB)
    return pixels


def _encoded(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _rate(bench: Bench, work: Decode, files: list[bytes], threads: int) -> int:
    parts = [files[i : i + 16] for i in range(0, len(files), 16)]

    def some(part: Iterable[bytes]) -> None:
        for data in part:
            work(data)

    with ThreadPoolExecutor(threads) as pool:
        return round(len(files) / bench.seconds(lambda: list(pool.map(some, parts))))


def _alike(files: list[bytes]) -> str:
    same = sum(np.array_equal(_torchvision(data).permute(1, 2, 0).numpy(), np.asarray(decode(data))) for data in files)
    return f"in {same} of {len(files)} files"


def _nvjpeg(bench: Bench, found: Found, kind: str, files: list[bytes]) -> None:
    """Note how fast the GPU decodes, and in what share of values it differs from Pillow by so much or more."""
    encoded = [_encoded(data) for data in files[:1024]]
    decoded = decode_jpeg(encoded[:_COMPARED], ImageReadMode.RGB, device=bench.device)
    seconds = bench.seconds(lambda: decode_jpeg(encoded, ImageReadMode.RGB, device=bench.device))
    found[f"{kind}, nvJPEG"] = round(len(encoded) / seconds)
    pairs = zip(decoded, files, strict=False)
    off = [np.abs(one.permute(1, 2, 0).cpu().numpy().astype(int) - np.asarray(decode(data))) for one, data in pairs]
    for least in (1, 2, 4):
        share = float(np.mean([(difference >= least).mean() for difference in off]))
        found[f"{kind}, nvJPEG, share of values off by {least} or more"] = round(share, 5)
