"""Several layers side by side are the layers alone, in one pass; each one's pooling is in the name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.describe.parameters import count_parameters
from frostline.stages.errors import ConfigError

EXAMPLE = Image.new("RGB", (8, 8))
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def of(layer: str, pool: str | None = None) -> tuple[np.ndarray, str]:
    request = BackboneRequest("resnet8-cifar10", layer=layer, pool=pool)  # type: ignore[arg-type]
    backbone = load_backbone(request, EXAMPLE, optimize="none")
    return backbone.embed({"pixels": IMAGES}), backbone.spec.layer


def test_layers_side_by_side_are_the_layers_alone() -> None:
    both, name = of("layer2,fc:input")
    alone = [of(layer)[0] for layer in ("layer2", "fc:input")]
    np.testing.assert_array_equal(both, np.concatenate(alone, axis=1))
    assert name == "layer2@avg,fc:input@none"
    again, same = of(name, "none")
    assert same == name and np.array_equal(again, both)


def test_each_layer_may_have_its_own_pooling() -> None:
    both, name = of("layer3@max, layer2")
    assert name == "layer3@max,layer2@avg"
    np.testing.assert_array_equal(both[:, : both.shape[1] - of("layer2")[0].shape[1]], of("layer3", "max")[0])


def test_their_order_is_that_of_the_name_and_one_may_stand_twice() -> None:
    assert np.array_equal(of("fc:input,layer2")[0][:, :128], of("fc:input")[0])
    twice, _ = of("layer2@avg,layer2@max")
    np.testing.assert_array_equal(twice, np.concatenate([of("layer2", how)[0] for how in ("avg", "max")], axis=1))


@pytest.mark.parametrize(
    ("layer", "message"),
    [("layer2,layer9", "layer9"), ("layer2@sum,layer3", "unknown pool 'sum'"), ("layer2@cls,layer3", "does not match")],
)
def test_mistakes_name_the_layer_or_the_pooling(layer: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(layer)


def test_parameters_of_all_of_them_count_once() -> None:
    request = BackboneRequest("resnet8-cifar10", layer="layer2,fc:input")
    spec, last = (load_backbone(one, EXAMPLE).spec for one in (request, BackboneRequest("resnet8-cifar10")))
    assert count_parameters(request, spec) == count_parameters(BackboneRequest("resnet8-cifar10"), last)
