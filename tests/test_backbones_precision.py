"""The faster arithmetic is taken only where its features agree with fp32's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import picture

from stages.backbones import BackboneRequest, load_backbone
from stages.backbones.precision import agreement, faster, fastest

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
    assert fastest("cpu") == ("bf16" if {"avx512_bf16", "amx_tile"} & set(flags) else "fp32")


@pytest.mark.parametrize(("name", "precision"), [("resnet8-cifar10", "bf16"), ("pixels", "fp32")])
def test_a_network_with_weights_is_made_faster_and_plain_pixels_stay_exact(
    monkeypatch: pytest.MonkeyPatch, name: str, precision: str
) -> None:
    monkeypatch.setattr("stages.backbones.precision.fastest", lambda device: "bf16")
    exact = load_backbone(BackboneRequest(name), picture(0, (32, 32)))
    chosen, found = faster(exact, RNG.integers(0, 256, (4, 32, 32, 3), np.uint8))
    assert chosen.precision == precision
    assert exact.precision == "fp32"
    assert (found is None) == (precision == "fp32")
