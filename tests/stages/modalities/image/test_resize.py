"""Images resized in integers, as a GPU does it, have the pixels that Pillow gives them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from frostline.stages.modalities.image import resize as room
from frostline.stages.modalities.image.resize import (
    begins_with_width,
    in_torch,
    resized,
    table,
    taps_for,
    unchanged,
    way,
)

CPU, KERNEL = torch.device("cpu"), "frostline.stages.modalities.image.resize_kernel"
FILTERS: dict[str, Image.Resampling] = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
SIZES = [(500, 375), (375, 500), (640, 480), (333, 500), (97, 131), (256, 256), (32, 32), (50, 7), (1, 9)]


def made(width: int, height: int, kind: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(width * height)
    if kind == "edges":
        return rng.integers(0, 2, (height, width, 3), np.uint8) * np.uint8(255)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "grey":
        noise[...] = noise[..., :1]
    return noise


def ours(pixels: np.ndarray[Any, Any], size: tuple[int, int], how: str, box: tuple[int, int, int, int]) -> Any:
    left, top, right, bottom = box
    sides = ((pixels.shape[1], size[0], (left, right)), (pixels.shape[0], size[1], (top, bottom)))
    tables: list[Any] = [table(n, m, kept, how, taps_for(n / m, how)) for n, m, kept in sides]
    return resized(torch.from_numpy(pixels)[None], *(torch.from_numpy(one)[None] for one in tables))[0].numpy()


def pillows(pixels: np.ndarray[Any, Any], size: tuple[int, int], how: str, box: tuple[int, int, int, int]) -> Any:
    return np.asarray(Image.fromarray(pixels).resize(size, FILTERS[how]).crop(box))


@pytest.mark.parametrize("how", FILTERS)
@pytest.mark.parametrize("kind", ["noise", "edges", "grey"])
@pytest.mark.parametrize("size", SIZES)
def test_larger_and_smaller_images_are_those_of_pillow(size: tuple[int, int], kind: str, how: str) -> None:
    pixels = made(*size, kind)
    sizes = ((341, 256), (64, 80), (size[0], 400), (size[0] // 2 + 1, size[1] // 2 + 1), (30, size[1]), size)
    fit = [wanted for wanted in sizes if begins_with_width(size, wanted)]
    assert len(fit) >= 4
    for wanted in fit:
        whole = (0, 0, *wanted)
        assert np.array_equal(ours(pixels, wanted, how, whole), pillows(pixels, wanted, how, whole))


@settings(max_examples=60, deadline=None)
@given(*(st.integers(1, 300) for _ in range(4)), st.sampled_from([*FILTERS]), st.integers(0, 10**6))
def test_the_pixels_of_a_crop_are_computed_alone(w: int, h: int, m: int, n: int, how: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    box = (left := int(rng.integers(m)), top := int(rng.integers(n)), left + 1 + (m - left) // 2, top + 1)
    assume(begins_with_width((w, h), (m, n)))
    pixels = made(w, h, "noise")
    assert np.array_equal(ours(pixels, (m, n), how, box), pillows(pixels, (m, n), how, box))


def test_images_of_a_batch_have_tables_of_their_own_and_what_lies_beside_them_is_not_seen() -> None:
    frames, tables, wanted = np.full((2, 60, 60, 3), 255, np.uint8), [], []
    for i, (w, h) in enumerate(((60, 41), (43, 50))):
        frames[i, :h, :w] = made(w, h, "noise")
        tables.append([table(n, 30, (3, 27), "bicubic", taps_for(2, "bicubic")) for n in (w, h)])
        wanted.append(pillows(frames[i, :h, :w], (30, 30), "bicubic", (3, 3, 27, 27)))
    across, down = (torch.from_numpy(np.stack([one[axis] for one in tables])) for axis in (0, 1))  # type: ignore[arg-type]
    assert np.array_equal(resized(torch.from_numpy(frames), across, down).numpy(), np.stack(wanted))


def test_an_image_may_lie_there_as_it_is() -> None:
    pixels = torch.from_numpy(made(20, 10, "noise"))[None]
    across, down = torch.from_numpy(unchanged(16, 5))[None], torch.from_numpy(unchanged(10, 5))[None]
    assert torch.equal(resized(pixels, across, down), pixels[:, :, :16])


def test_what_needs_more_taps_than_there_is_room_for_has_no_table() -> None:
    assert table(500, 256, (0, 256), "bilinear", taps_for(2, "bilinear")) is not None
    assert table(1000, 256, (0, 256), "bilinear", taps_for(2, "bilinear")) is None


def test_a_device_that_is_off_by_one_level_does_not_resize_and_that_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert way(CPU) is in_torch
    monkeypatch.setattr(room, "in_torch", lambda images, axis, tables: in_torch(images, axis, tables) ^ 1)
    with caplog.at_level("INFO", "frostline"):
        assert way.__wrapped__(CPU) is None
    assert caplog.messages == ["torch does not resize images on cpu: its pixels differ from Pillow's"]


def test_a_device_where_torchs_operations_fail_does_not_resize_and_the_error_is_logged_as_torchs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> torch.Tensor:
        raise NotImplementedError("no gather here\nmore")

    monkeypatch.setattr(room, "in_torch", fails)
    with caplog.at_level("INFO", "frostline"):
        assert way.__wrapped__(CPU) is None
    assert caplog.messages == ["torch does not resize images on cpu: no gather here"]


@pytest.mark.parametrize("kernel", ["fails", "is off", "is right"])
def test_a_gpu_uses_one_kernel_or_else_torch(
    kernel: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def one(images: torch.Tensor, axis: int, tables: torch.Tensor) -> torch.Tensor:
        if kernel == "fails":
            raise RuntimeError("Failed to find C compiler\nmore")
        return in_torch(images, axis, tables) ^ (kernel == "is off")

    monkeypatch.setattr(room, "_in_one_kernel", one)
    real = room._same
    monkeypatch.setattr(room, "_same", lambda device, *more: real(CPU, *more))  # a GPU that computes here
    with caplog.at_level("INFO", "frostline"):
        assert way.__wrapped__(torch.device("cuda")) is (one if kernel == "is right" else in_torch)
    faults = {"fails": "Failed to find C compiler", "is off": "its pixels differ from Pillow's", "is right": None}
    told = f"Triton's kernel does not resize images on cuda: {faults[kernel]}"
    assert caplog.messages == [told] * (kernel != "is right")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Have the kernel's module imported by the test alone: what interprets it is decided then."""
    sys.modules.pop(KERNEL, None)
    yield
    sys.modules.pop(KERNEL, None)


@pytest.mark.usefixtures("fresh")
def test_the_kernel_sums_up_what_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="Triton is not installed, which comes with torch for GPUs")
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # by Triton's interpreter, which needs no GPU
    summed = importlib.import_module(KERNEL).summed
    for how in FILTERS:
        images = torch.from_numpy(np.stack([made(40, 30, kind) for kind in ("noise", "edges", "grey")]))
        for axis, before in ((1, 30), (2, 40)):
            kept = ((0, 21), (1, 22), (2, 23))
            tables: list[Any] = [
                table(before, after, one, how, 9) for after, one in zip((24, 31, 60), kept, strict=True)
            ]
            given = torch.from_numpy(np.stack(tables))
            assert torch.equal(summed(images, axis, given), in_torch(images, axis, given))


@pytest.mark.usefixtures("fresh")
def test_the_kernel_compiles_for_a_gpu_that_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    triton = pytest.importorskip("triton", reason="Triton is not installed, which comes with torch for GPUs")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = importlib.import_module(KERNEL)._sums
    pointers = {"images": "*u8", "tables": "*i32", "out": "*u8"}
    numbers = dict.fromkeys(("size", "result", "inner", "inputs", "outputs"), "i32")
    known = {"TAPS": taps_for(2, "bicubic"), "BLOCK": 1024}
    source = ASTSource(kernel, {**pointers, **numbers, **dict.fromkeys(known, "constexpr")}, known)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))  # Hopper
    assert compiled.asm["cubin"]
