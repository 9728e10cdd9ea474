"""A network of named arrays: its features are its own module's, and what is wrong with it is said when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from frostline.stages.backbones import BackboneRequest, item_for
from frostline.stages.backbones.calibrate.precision import compared
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.backbones.inference.cuda import overlapped
from frostline.stages.backbones.inference.item_backbone import ItemBackbone, of_items
from frostline.stages.backbones.spec import Precision
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.items import Stack, stacked
from support.letters import WIDTH, Mean, Spelled, loaded

REQUEST = BackboneRequest("pixels", modality="letters")  # some name that a family has; it is not asked


def backbone(module: nn.Module | None = None, precision: Precision = "fp32", **more: Any) -> ItemBackbone:
    unsteady = bool(more.pop("allow_unsteady", False))
    return of_items(REQUEST, loaded(module, **more), precision, "cpu", allow_unsteady=unsteady)


def items(*texts: str) -> list[Item]:
    return [item_for(text, backbone().spec) for text in texts]


def wanted(*texts: str) -> np.ndarray:
    """The means, computed letter by letter in float64."""
    table = Mean().table.weight.detach().double().numpy()
    return np.stack([table[list(text.encode())].mean(0) for text in texts])


def test_features_are_those_of_the_module_and_zeros_that_fill_a_batch_change_nothing() -> None:
    texts = ("abc", "wxyz", "q")
    whole = backbone().embed(stacked(items(*texts)))
    np.testing.assert_allclose(whole, wanted(*texts), rtol=1e-5, atol=1e-6)
    filled = backbone().embed(Stack(dict(enumerate(items(*texts))), 5))
    assert np.array_equal(filled[:3], whole) and np.isnan(filled[3:]).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 8])
def test_a_batch_in_parts_and_one_on_its_way_through_lanes_are_the_same(rows: int) -> None:
    batches: list[Arrays] = [stacked(items("abc", "wxyz", "q")), stacked(items("five5", "sixsix6"))]
    (short, long) = (backbone().embed(batch) for batch in batches)
    for found in (
        list(in_turn(backbone().embed, batches, BatchLimit(rows))),
        list(overlapped(backbone(), batches, BatchLimit(rows))),
    ):
        assert np.array_equal(found[0], short) and np.array_equal(found[1], long)


def test_a_precision_is_compared_on_items_of_several_shapes_in_their_order() -> None:
    exact, rough = backbone(), backbone(precision="bf16")
    some = items("a longer text", "short", "mid-size", "x", "another text..")
    found = compared(exact, some, rough, some)
    assert found.rows == 5 and found.good and found.least < 1
    assert not compared(exact, some, rough, some[::-1]).good


class Centred(Mean):
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        features = super().forward(ids, mask)
        return features - features.nan_to_num().mean(0)


class ByTheWholeMask(Mean):
    """What some libraries do: another way of computing where no text of the batch is padded."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        features = super().forward(ids, mask)
        return features if mask.all() else features * (1 + 2**-20)


class Poisoned(Mean):
    """One empty row makes NaN of all."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        features = super().forward(ids, mask)
        return features + 0 * features.sum()


@pytest.mark.parametrize("module", [Centred, ByTheWholeMask, Poisoned])
def test_features_that_change_with_the_batch_are_refused(module: type[nn.Module]) -> None:
    with pytest.raises(ConfigError, match="--allow-unsteady"):
        backbone(module())
    assert backbone(module(), allow_unsteady=True).width == WIDTH


@pytest.mark.parametrize(("missing", "value"), [("layer", None), ("pool", None), ("width", None)])
def test_a_family_that_does_not_say_what_it_came_to_is_told(missing: str, value: None) -> None:
    with pytest.raises(ConfigError, match=f"{missing} None.*expected all three"):
        backbone(**{missing: value})


def test_another_width_than_the_family_says_and_what_a_module_raises_are_config_errors() -> None:
    with pytest.raises(ConfigError, match=r"gives \(4, 6\) for 4 samples; expected \(4, 7\)"):
        backbone(width=7)

    class Failing(Mean):
        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            raise RuntimeError("no kernel")

    with pytest.raises(ConfigError, match=r"can't run in fp32 on cpu \(RuntimeError: no kernel\)"):
        backbone(Failing())


def test_another_precision_is_of_a_copy() -> None:
    exact = backbone()
    rough = exact.at("bf16")
    assert rough.network is not exact.network and (rough.precision, exact.precision) == ("bf16", "fp32")
    assert next(exact.network.parameters()).dtype == torch.float32


class Tried(Spelled):
    """Letters that a network may be tried on."""

    def trials(self) -> Iterator[list[Item]]:
        return iter((self.noise(8), self.noise(2)))


class ByTheirNumber(Mean):
    """What a kernel does that is chosen by the number of rows."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        features = super().forward(ids, mask)
        return features * (1 + 2**-20) if len(ids) == 3 else features


def tried(module: nn.Module) -> ItemBackbone:
    found = replace(loaded(module), preprocessing=Tried())
    return of_items(REQUEST, found, "fp32", "cpu", allow_unsteady=True)


def test_batches_are_left_short_only_by_a_network_that_was_seen_not_to_mind() -> None:
    assert not backbone().any_rows  # there is nothing to try it on
    assert tried(Mean()).any_rows
    assert not tried(ByTheirNumber()).any_rows
