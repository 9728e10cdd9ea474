"""Every form of W and b in one file with its backbone answers as the head does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.errors import ConfigError
from frostline.stages.heads import LinearHead
from frostline.stages.heads.linear_regression import LinearRegressionHead
from frostline.stages.heads.multi_label import MultiLabelHead
from frostline.stages.heads.scaling import ScaledHead, Scaler
from frostline.stages.serve.export import Exported, export

SIZE, WIDTH = (4, 5), 4 * 5 * 3
NAMES = ("a", "b", "c")
RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.normal(size=(3, WIDTH)), RNG.normal(size=3)
SINGLE = WEIGHT.astype(np.float32), BIAS.astype(np.float32)
STANDARD = Scaler(RNG.normal(size=WIDTH).astype(np.float32), np.append(np.inf, RNG.random(WIDTH - 1) + 1).astype("f4"))
IMAGES = RNG.integers(0, 256, (7, *SIZE, 3), np.uint8)
SURE = SINGLE[0] * [[0], [0], [1]], np.array([np.inf, -np.inf, 0.5], np.float32)
HEADS: dict[str, Any] = {
    "classes": LinearHead(*SINGLE, NAMES),
    "labels": MultiLabelHead(*SINGLE, NAMES, thresholds=(0.1, 0.5, 0.9)),
    "labels that all and none have": MultiLabelHead(SURE[0].astype(np.float32), SURE[1], NAMES),
    "labels without probabilities": MultiLabelHead(*SINGLE, NAMES, normalized=True, probabilistic=False),
    "labels, standardised": ScaledHead(MultiLabelHead(*SINGLE, NAMES, normalized=True), STANDARD),
    "numbers": LinearRegressionHead(WEIGHT, BIAS, NAMES),
    "numbers, by length": ScaledHead(LinearRegressionHead(WEIGHT, BIAS, NAMES), Scaler()),
    "numbers, standardised": ScaledHead(LinearRegressionHead(WEIGHT, BIAS, NAMES), STANDARD),
}


@pytest.fixture(scope="module")
def backbone() -> Any:
    blank = Image.new("RGB", SIZE[::-1])
    return load_backbone(BackboneRequest("pixels"), blank, precision="fp32", device="cpu", portable=True)


def wanted(head: Any, backbone: Any) -> np.ndarray:
    """The mean of the head's decision values over both views."""
    views = IMAGES, IMAGES[:, :, ::-1]
    return np.mean(
        [head.decision_values(backbone.embed({"pixels": np.ascontiguousarray(view)})) for view in views], axis=0
    )


@pytest.mark.parametrize("name", HEADS)
def test_the_module_that_is_exported_answers_as_the_head(backbone: Any, name: str) -> None:
    whole = Exported(backbone.module(), HEADS[name], ("plain", "hflip")).eval()
    with torch.no_grad():
        found = whole(torch.from_numpy(IMAGES)).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted(HEADS[name], backbone), atol=1e-4)


@pytest.mark.parametrize("name", ["labels, standardised", "numbers, standardised", "labels that all and none have"])
@pytest.mark.parametrize("ending", ["pt2", "onnx"])
def test_so_does_the_file_for_any_number_of_images(backbone: Any, tmp_path: Path, name: str, ending: str) -> None:
    file = tmp_path / f"model.{ending}"
    export(HEADS[name], backbone, ("plain", "hflip"), {"thresholds": [0.5]}, file)
    if ending == "pt2":
        said = {"frostline": ""}
        found = torch.export.load(file, extra_files=said).module()(torch.from_numpy(IMAGES)).numpy()
        assert json.loads(said["frostline"]) == {"thresholds": [0.5]}
    else:
        from onnx.reference import ReferenceEvaluator

        [found] = ReferenceEvaluator(str(file)).run(None, {"images": IMAGES})
    np.testing.assert_allclose(found, wanted(HEADS[name], backbone), atol=1e-4)


def test_a_scaled_head_that_is_not_w_and_b_is_refused(backbone: Any, tmp_path: Path) -> None:
    class Theirs:
        classes, width, probabilistic = NAMES, WIDTH, True

    with pytest.raises(ConfigError, match="this head is not linear"):
        export(ScaledHead(Theirs(), Scaler()), backbone, ("plain",), {}, tmp_path / "model.pt2")  # type: ignore[arg-type]
