"""The layer, its shape and the pooling are said whenever features are computed, and not when they are cached."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main

NETS = """
from torch import nn
import torchvision

def headless():
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Identity())

def vit():
    model = torchvision.models.VisionTransformer(8, 4, 2, 2, 12, 24)
    model.heads = nn.Identity()
    return model
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backbone", "resnet8-cifar10"], "layer fc:input, shape (128), pooling none: 128 features"),
        (
            ["--backbone", "resnet8-cifar10", "--layer", "layer2"],
            "layer layer2, shape (64, 16, 16), pooling avg: 64 features",
        ),
        (["--backbone", "net.py:headless", "--layer", "output"], "layer output, shape (6), pooling none: 6 features"),
        (
            ["--backbone", "net.py:vit", "--layer", "encoder", "--pool", "tokens"],
            "layer encoder, shape (5, 12), pooling tokens: 12 features",
        ),
    ],
)
def test_it_is_said_where_features_come_from(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (work.parent / "net.py").write_text(NETS)
    own = ["--weights", "factory", "--resize", "8"] if "net.py" in arguments[1] else []
    assert main(["extract", *arguments, *own, "--precision", "fp32"]) == 0
    assert capsys.readouterr().err.splitlines().count(said) == 1
    if not own:
        assert main(["extract", *arguments, "--precision", "fp32"]) == 0
        assert said not in capsys.readouterr().err
