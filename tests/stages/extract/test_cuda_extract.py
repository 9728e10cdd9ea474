"""Extraction on a GPU: the processor's features, to the tolerance of the precision, in every way that memory allows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from frostline.pipeline.cli.main import main
from frostline.stages.backbones import BackboneRequest, item_for, load_backbone, raw_or_item
from frostline.stages.backbones.calibrate.batch_size import fastest_batch
from frostline.stages.backbones.calibrate.precision import agreement, faster
from frostline.stages.backbones.inference import cuda as overlapped
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.backbones.inference.cuda import overlapped as stream
from frostline.stages.backbones.inference.frames import frame_for, unframed
from frostline.stages.backbones.inference.multi_layer import share_pass
from frostline.stages.backbones.optimize import fused_convolutions
from frostline.stages.backbones.spec import Precision
from frostline.stages.datasets import open_dataset
from frostline.stages.extract.extraction import extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.image.resize import in_torch, way
from frostline.stages.modalities.image.spec import Interpolation, Preprocessing
from frostline.stages.modalities.image.upsample import agrees, enlarged
from frostline.stages.modalities.items import stacked
from frostline.stages.store import load, open_set
from support.extraction import begin, job
from support.gpu import DEVICE, needs_gpu, needs_two, two_devices

pytestmark = needs_gpu
SIDE, IMAGES = 64, 8
NETWORKS = ("resnet18", "mobilenet_v2", "squeezenet1_0", "vit_b_16", "convnext_tiny", "efficientnet_b0")


def noise(n: int, images: int = IMAGES, side: int = SIDE) -> list[Arrays]:
    """Return batches of blurred noise: no two images are alike, as those of white noise are to a network."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, images, 8, 8, 3), np.uint8)
    return [{"pixels": batch.repeat(side // 8, axis=1).repeat(side // 8, axis=2)} for batch in coarse]


def loaded(name: str, precision: Precision, device: str = DEVICE, layer: str | None = None) -> Backbone:
    side = 224 if name.startswith("vit") else SIDE
    how = {"resize": (side, side), "crop": None}
    example = Image.new("RGB", (side, side))
    request = BackboneRequest(name, "random", layer, preprocessing=how)
    return load_backbone(request, example, precision=precision, device=device)


def sized(backbone: Backbone, n: int) -> list[Arrays]:
    return noise(n, side=backbone.spec.size[0])


@two_devices
@pytest.mark.parametrize("name", NETWORKS)
def test_fp32_gives_the_features_of_the_processor(name: str) -> None:
    here, there = loaded(name, "fp32", "cpu"), loaded(name, "fp32")
    (batch,) = sized(here, 1)
    wanted = here.embed(batch)
    np.testing.assert_allclose(there.embed(batch), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_faster_precision_bears_the_check_or_is_not_used(name: str) -> None:
    exact = loaded(name, "fp32")
    (batch,) = sized(exact, 1)
    chosen, found = faster(exact, [{"pixels": one} for one in batch["pixels"]])
    if found and found.good:
        assert agreement(exact.embed(batch), chosen.embed(batch)).good
    else:
        assert chosen is exact


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_stream_gives_what_each_batch_gives_alone(
    name: str, precision: Precision, caplog: pytest.LogCaptureFixture
) -> None:
    backbone = loaded(name, precision)
    batches = sized(backbone, 7)
    with caplog.at_level(logging.INFO, "frostline"):
        found = list(stream(backbone, batches, BatchLimit(IMAGES)))
    assert "can't be captured" not in caplog.text
    assert len(found) == len(batches)
    for one, batch in zip(found, batches, strict=True):
        wanted = backbone.embed(batch)
        close = 1e-5 if precision == "fp32" else 1e-2
        np.testing.assert_allclose(one, wanted, rtol=close, atol=close * np.abs(wanted).max())


@two_devices
@pytest.mark.usefixtures("optimizations")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_convolutions_fused_with_what_follows_them_give_what_they_gave(name: str, precision: Precision) -> None:
    backbone = loaded(name, precision)
    layers = fused_convolutions(backbone.network)
    assert len(layers) == {"resnet18": 17, "resnet50": 49}[name]
    assert any(layer.fused for layer in layers) == (precision == "bf16")
    found = backbone.embed(noise(1)[0])
    for layer in layers:
        layer.fused = False
    wanted = backbone.embed(noise(1)[0])
    close = 1e-4 if precision == "fp32" else 5e-2
    np.testing.assert_allclose(found, wanted, rtol=close, atol=close * np.abs(wanted).max())


@pytest.mark.usefixtures("optimizations")
def test_layers_of_one_network_share_a_pass() -> None:
    alone = [loaded("resnet18", "fp32", layer=layer) for layer in ("layer2", "layer4")]
    shared = share_pass(alone)
    assert shared is not None
    (found,) = shared.stream(noise(1), BatchLimit(IMAGES))
    wanted = np.concatenate([one.embed(noise(1)[0]) for one in alone], axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


class Asks(nn.Module):
    """Asks the device for a number, which no graph can hold."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (2.0 if x.sum().item() > 0 else 1.0)


def test_a_network_that_can_not_be_captured_runs_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    backbone = loaded("resnet18", "fp32")
    backbone.network = nn.Sequential(backbone.network, Asks())
    with caplog.at_level(logging.INFO, "frostline"):
        found = list(stream(backbone, noise(5), BatchLimit(IMAGES)))
    assert ("can't be captured" in caplog.text) == (DEVICE == "cuda")
    caplog.clear()
    wanted = [backbone.embed(batch) for batch in noise(5)]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(wanted), rtol=1e-5, atol=1e-5)
    test_layers_of_one_network_share_a_pass()  # the device still works, graphs as well
    assert "can't be captured" not in caplog.text


@pytest.fixture
def little_memory() -> Iterator[None]:
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (2 << 30)) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.skipif(DEVICE == "cpu", reason="a processor's memory is limited in test_extract_memory.py")
def test_out_of_memory_halves_the_batch_and_goes_on(little_memory: None) -> None:
    backbone, said = loaded("resnet18", "fp32"), list[int]()
    images = 8192
    limit = BatchLimit(images, lambda n, why: said.append(n))
    (found,) = stream(backbone, noise(1, images), limit)
    assert said and limit.rows == said[-1] < images
    np.testing.assert_allclose(
        found[:IMAGES], backbone.embed({"pixels": noise(1, images)[0]["pixels"][:IMAGES]}), rtol=1e-4, atol=1e-4
    )


@pytest.mark.skipif(DEVICE == "cpu", reason="torch does not count a processor's memory")
@pytest.mark.parametrize("name", ["resnet18", "vit_b_16"])
def test_a_long_stream_takes_no_more_memory_than_a_short_one(name: str) -> None:
    backbone = loaded(name, "bf16")
    (batch,) = sized(backbone, 1)
    used = []
    for n in (5, 200):
        torch.cuda.reset_peak_memory_stats()
        for _ in stream(backbone, (batch for _ in range(n)), BatchLimit(IMAGES)):
            pass
        used.append(torch.cuda.max_memory_allocated())
    assert used[1] <= used[0] + (1 << 20)


def test_thumbnails_are_enlarged_to_the_pixels_that_pillow_makes() -> None:
    device = torch.device(DEVICE)
    assert agrees(device)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    found = enlarged(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device), 256).permute(0, 2, 3, 1).cpu().numpy()
    wanted = [np.asarray(Image.fromarray(one).resize((256, 256), Image.Resampling.BILINEAR)) for one in pixels]
    assert np.array_equal(found, np.stack(wanted))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_photographs_are_resized_to_the_pixels_that_pillow_makes(interpolation: Interpolation) -> None:
    how = Preprocessing(256, 224, interpolation)
    frame = frame_for(how, (224, 224))
    assert way(torch.device(DEVICE)) is not None and frame is not None
    rng = np.random.default_rng(0)
    sizes = [(375, 500), (500, 375), (512, 512), (131, 97), (33, 50), (480, 640)]
    photographs = [Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)) for size in sizes]
    batch = stacked([item for one in photographs if (item := frame.item(one))])
    found = unframed({name: torch.from_numpy(array).to(DEVICE) for name, array in batch.items()}).cpu().numpy()
    assert np.array_equal(found, np.stack([how.item(one)["pixels"] for one in photographs]))


@two_devices
def test_one_kernel_resizes_there() -> None:
    pytest.importorskip("triton")
    assert way(torch.device(DEVICE)) is not in_torch


@two_devices
def test_a_network_has_a_frame_on_a_gpu_alone_and_its_stream_takes_it() -> None:
    how = BackboneRequest("resnet18", "random", preprocessing={"resize": 64, "crop": 56})
    photograph = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 100, 3), np.uint8))
    here, there = (load_backbone(how, photograph, device=device) for device in ("cpu", DEVICE))
    assert here.frame is None and there.frame is not None
    batch = stacked([raw_or_item(photograph, there)] * IMAGES)
    wanted = there.embed(stacked([item_for(photograph, there.spec)] * IMAGES))
    for found in stream(there, [batch] * 4, BatchLimit(IMAGES)):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_the_batch_size_is_found_out() -> None:
    backbone = loaded("resnet18", "bf16")
    size, _ = fastest_batch(backbone, noise(1)[0], 10_000, may_set_threads=True)
    assert size in (4, 8, 16, 32, 64, 128, 256, 512)


def test_an_extraction_gone_on_with_is_that_of_one_go(tmp_path: Path) -> None:
    samples, sets = open_dataset("digits").test, []
    backbone = load_backbone(BackboneRequest("resnet8-cifar10"), samples.read(0), device=DEVICE)
    for name in ("one", "two"):
        features = begin(tmp_path / name, samples)
        this = replace(job(samples, features), backbone=backbone, ahead=2)
        extract(this)
        if name == "two":
            for shard in (0, 7, 8):
                features.drop(shard)
            extract(this)
        sets.append(load(features).X)
    np.testing.assert_allclose(sets[1], sets[0], rtol=1e-6, atol=1e-6)
    alone = begin(tmp_path / "processor", samples)
    extract(job(samples, alone))
    np.testing.assert_allclose(sets[0], load(alone).X, rtol=1e-3, atol=1e-4)


def test_the_command_says_on_which_device_it_ran(work: Path) -> None:
    assert main(["extract", "--device", DEVICE]) == 0
    (folder,) = work.glob("features/*-train-*")
    assert open_set(folder).pace["device"] == DEVICE and open_set(folder).provenance.device == DEVICE


@needs_two
def test_two_gpus_do_one_set(work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from frostline.pipeline.engines import processes

    monkeypatch.setattr(processes, "MIN_ROWS", 400)
    assert main(["extract", "--device", "cuda"]) == 0
    assert "ended early" not in caplog.text
    assert main(["extract", "--device", "cuda:1", "--data-dir", "alone"]) == 0
    found, alone = (load(open_set(next(Path(top).glob("features/*-train-*")))).X for top in (work, "alone"))
    np.testing.assert_allclose(found, alone, rtol=1e-2, atol=1e-2)


def test_the_stream_on_a_gpu_is_the_overlapped_one(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    monkeypatch.setattr(overlapped, "overlapped", lambda network, batches, limit: used.append(1) or iter(()))
    list(loaded("resnet18", "fp32").stream(noise(1), BatchLimit(IMAGES)))
    assert bool(used) == (DEVICE == "cuda")
