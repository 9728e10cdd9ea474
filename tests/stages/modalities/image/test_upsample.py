"""Thumbnails enlarged in floating point, as a GPU does it, have the pixels that Pillow gives them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.modalities.image import upsample as enlarging
from frostline.stages.modalities.image.upsample import agrees, enlarged, in_floats

SIDES = [(s, s << k) for s in (1, 2, 7, 8, 28, 32, 64, 96) for k in (1, 2, 3, 5) if s << k <= 512]


@pytest.mark.parametrize(("side", "larger"), SIDES)
def test_thumbnails_come_out_as_pillow_enlarges_them(side: int, larger: int) -> None:
    rng = np.random.default_rng(side)
    noise = rng.integers(0, 256, (3, side, side, 3), np.uint8)
    noise[1] = rng.integers(0, 2, noise[1].shape) * 255  # the hardest edges
    wanted = [np.asarray(Image.fromarray(one).resize((larger, larger), Image.Resampling.BILINEAR)) for one in noise]
    given = torch.from_numpy(noise).permute(0, 3, 1, 2)
    for how in (in_floats, enlarged):
        assert np.array_equal(how(given, larger).permute(0, 2, 3, 1).numpy(), np.stack(wanted))


def test_a_device_is_tried_before_it_enlarges() -> None:
    assert agrees(torch.device("cpu"))
    backbone = load_backbone(BackboneRequest("squeezenet1_0", "random"), Image.new("RGB", (32, 32)))
    assert backbone.enlarges((32, 32)) and not backbone.enlarges((33, 33))


def test_a_device_that_is_off_by_one_level_does_not_enlarge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarging, "enlarged", lambda images, side: enlarged(images, side) ^ 1)
    agrees.cache_clear()
    try:
        assert not agrees(torch.device("cpu"))
    finally:
        agrees.cache_clear()
