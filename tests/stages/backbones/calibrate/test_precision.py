"""The faster arithmetic is taken only where its features agree with fp32's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.calibrate.precision import agreement, compared, faster, fastest_precision
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.image.spec import Preprocessing
from support.pictures import picture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 5)).astype(np.float32)


def test_agreement_is_the_cosine_of_each_row() -> None:
    found = agreement(X, X + np.eye(8, 5, dtype=np.float32))
    expected = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in zip(X, X + np.eye(8, 5), strict=True)]
    assert found.rows == 8
    np.testing.assert_allclose([found.least, found.mean], [min(expected), np.mean(expected)], rtol=1e-6)


def test_equal_features_agree_and_so_do_zeros() -> None:
    assert agreement(X, X).good
    assert agreement(np.zeros_like(X), np.zeros_like(X)).good


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, -1.0])
def test_one_row_that_is_wrong_is_enough_to_disagree(wrong: float) -> None:
    rough = X.copy()
    rough[3] *= wrong
    assert not agreement(X, rough).good


def test_an_offset_that_all_images_share_does_not_hide_what_is_lost() -> None:
    exact = 1000 + X
    rough = np.round(exact / 4) * 4
    found = agreement(exact, rough)
    assert found.least > 0.999 and not found.good


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux lists what its processor computes in")
def test_a_processor_that_says_it_computes_in_bf16_does_so_by_default() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    assert fastest_precision("cpu") == ("bf16" if {"avx512_bf16", "amx_tile"} & set(flags) else "fp32")


@pytest.mark.parametrize(("name", "precision"), [("resnet8-cifar10", "bf16"), ("pixels", "fp32")])
def test_a_network_with_weights_is_made_faster_and_plain_pixels_stay_exact(
    monkeypatch: pytest.MonkeyPatch, name: str, precision: str
) -> None:
    monkeypatch.setattr("frostline.stages.backbones.calibrate.precision.fastest_precision", lambda device: "bf16")
    exact = load_backbone(BackboneRequest(name), picture(0, (32, 32)))
    chosen, found = faster(exact, items(RNG.integers(0, 256, (4, 32, 32, 3), np.uint8)))
    assert chosen.precision == precision
    assert exact.precision == "fp32"
    assert (found is None) == (precision == "fp32")


def items(pixels: np.ndarray) -> list[Item]:
    return [{"pixels": one} for one in pixels]


class Picky(nn.Module):
    """Computes in fp32 alone."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.linear = error, nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.float32:
            raise self.error
        return self.linear(x.mean((2, 3)))


def picky(error: Exception) -> Backbone:
    spec = BackboneSpec("picky", "", "0" * 64, "layer", "none", Preprocessing(), (8, 8))
    return Backbone(spec, Picky(error), 4, "fp32", "cpu", (4,))


ITEMS = items(np.zeros((4, 8, 8, 3), np.uint8))


def test_a_network_that_can_not_run_faster_stays_exact_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("frostline.stages.backbones.calibrate.precision.fastest_precision", lambda device: "bf16")
    caplog.set_level("INFO")
    exact = picky(RuntimeError("no kernel"))
    assert faster(exact, ITEMS) == (exact, None)
    assert "features in fp32: picky can't run in bf16 on cpu (RuntimeError: no kernel)" in caplog.text


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_a_lack_of_memory_does_not_choose_the_precision(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("frostline.stages.backbones.calibrate.precision.fastest_precision", lambda device: "bf16")
    with pytest.raises(ConfigError, match=r"picky can't run in bf16 on cpu .*see --precision"):
        faster(picky(error), ITEMS)


def test_the_check_of_a_precision_goes_on_with_fewer_images_where_memory_runs_out() -> None:
    class Narrow(Picky):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > 3:
                raise self.error
            return self.linear(x.mean((2, 3)))

    narrow = picky(torch.OutOfMemoryError("CUDA out of memory."))
    narrow.network = Narrow(narrow.network.error)
    noise = items(RNG.integers(0, 256, (9, 8, 8, 3), np.uint8))
    assert compared(narrow, noise, narrow, noise).rows == 9


class Differing(nn.Module):
    """Multiplies a feature of white images by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.linear, self.seen = factor, nn.Linear(3, 4), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        torch.manual_seed(0)
        features = torch.rand(4) + x.mean((1, 2, 3))[:, None]
        white = (x > 0.99).all((1, 2, 3))[:, None]
        return torch.where(white, features * torch.tensor([self.factor, 1, 1, 1]), features)


def differing(factor: float) -> Backbone:
    backbone = picky(MemoryError())
    backbone.network = Differing(factor)
    return backbone


@pytest.mark.parametrize(("white", "seen"), [(0, 8), (9, 16), (31, 32)])
def test_a_check_ends_at_the_first_rows_that_decide_it_and_with_the_same_verdict(white: int, seen: int) -> None:
    pixels = RNG.integers(0, 100, (32, 8, 8, 3), np.uint8)
    pixels[white] = 255
    exact, rough, noise = differing(1), differing(-5), items(pixels)
    found = compared(exact, noise, rough, noise)
    whole = agreement(exact.embed({"pixels": pixels}), rough.embed({"pixels": pixels}))
    assert (found.rows, found.good, whole.good, whole.rows) == (seen, False, False, 32)
    assert rough.network.seen == seen + 32


def test_a_good_verdict_takes_all_rows() -> None:
    noise = items(RNG.integers(0, 256, (32, 8, 8, 3), np.uint8))
    found = compared(differing(1), noise, differing(1), noise)
    assert (found.rows, found.good) == (32, True)
