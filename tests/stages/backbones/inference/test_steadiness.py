"""Features that change from pass to pass, or with what else is in the batch, are seen on one batch."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.steadiness import Unsteady, check_steady, refusal, unsteadiness
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import rows_of
from support.pictures import picture


def images(n: int) -> Arrays:
    return {"pixels": np.random.default_rng(n).integers(0, 256, (n, 8, 8, 3), np.uint8)}


def embedding(network: nn.Module):
    @torch.inference_mode()
    def embed(batch: Arrays) -> np.ndarray:
        pixels = batch["pixels"]
        return network.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).float().numpy()

    return embed


class Always(nn.Module):
    """A function of a batch of vectors, whatever the mode of the network."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def network(last: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 12), last)


def masked_by_place(x: Tensor) -> Tensor:
    return x * (torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) > 0.5)


passes = count()
CHANGING = {
    "dropout left on": lambda x: nn.functional.dropout(x, 0.5),
    "noise": lambda x: x + 1e-6 * torch.randn_like(x),
    "a random mask of its own": lambda x: x * (torch.rand(x.shape[1]) > 0.5),
    "a count of its passes": lambda x: x + next(passes),
}
MIXING = {
    "normalised over the batch": nn.BatchNorm1d(12, track_running_stats=False),
    "centred on the batch": Always(lambda x: x - x.mean(0)),
    "quantised by the batch's largest value": Always(lambda x: (x / x.abs().max() * 127).round()),
    "attention over the batch": Always(lambda x: torch.softmax(x @ x.T, 1) @ x),
}


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("last", CHANGING)
def test_what_changes_from_pass_to_pass_is_seen(last: str, n: int) -> None:
    found = unsteadiness(embedding(network(Always(CHANGING[last]))), images(n))
    assert found is not None and (found.when, found.compared) == ("again", n)
    assert set(found.rows) <= set(range(n)) and found.largest > 0


@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize("last", MIXING)
def test_what_changes_with_the_batch_is_seen(last: str, n: int) -> None:
    found = unsteadiness(embedding(network(MIXING[last])), images(n))
    assert found is not None and found.when == "company"
    assert set(found.rows) <= set(range(0, n, 2))


SIZED = {
    "depends on the number of images": Always(lambda x: x / len(x)),
    "centred in large batches": Always(lambda x: x - x.mean(0) if len(x) > 8 else x),
    "other weights for few": Always(lambda x: 2 * x if len(x) < 5 else x),
}


@pytest.mark.parametrize("n", [1, 4, 8])
def test_what_changes_with_the_place_in_the_batch_is_seen(n: int) -> None:
    found = unsteadiness(embedding(network(Always(masked_by_place))), images(n))
    assert found is not None and (found.when, found.rows, found.compared) == ("place", tuple(range(n)), n)


def test_what_one_place_alone_has_is_seen() -> None:
    def sixth_is_larger(x: Tensor) -> Tensor:
        return x * (1 + 0.01 * (torch.arange(len(x)) == 5))[:, None]

    found = unsteadiness(embedding(network(Always(sixth_is_larger))), images(8))
    assert found is not None and found.when == "place" and found.rows == (4, 5)
    assert unsteadiness(embedding(network(Always(sixth_is_larger))), images(8), "bf16") is None


@pytest.mark.parametrize(
    ("last", "n", "max_batch"),
    [
        ("depends on the number of images", 2, 16),
        ("depends on the number of images", 8, 8),
        ("centred in large batches", 8, 16),
        ("other weights for few", 8, 8),
        ("other weights for few", 3, 16),
    ],
)
def test_what_changes_with_the_number_of_images_is_seen(last: str, n: int, max_batch: int) -> None:
    found = unsteadiness(embedding(network(SIZED[last])), images(n), max_batch=max_batch)
    assert found is not None and found.when == "place"


@pytest.mark.parametrize("max_batch", [1, 2, 8, 9, 16])
def test_no_batch_is_larger_than_may_be_but_the_first(max_batch: int) -> None:
    seen = []

    def embed(batch: Arrays) -> np.ndarray:
        pixels = batch["pixels"]
        seen.append(len(pixels))
        return pixels.reshape(len(pixels), -1).astype(np.float32)

    assert unsteadiness(embed, images(8), max_batch=max_batch) is None
    assert seen == [8, 8, 8, 16 if max_batch == 16 else 4]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("last", [nn.BatchNorm1d(12), nn.Dropout(), nn.LayerNorm(12), nn.Softmax(1), nn.Identity()])
def test_nothing_is_seen_of_features_that_are_an_images_own(last: nn.Module, n: int) -> None:
    assert unsteadiness(embedding(network(last)), images(n)) is None


def test_rounding_is_allowed_in_another_place_and_nowhere_else() -> None:
    def by_place(batch: Arrays) -> np.ndarray:
        pixels = batch["pixels"]
        features = pixels.reshape(len(pixels), -1).astype(np.float32)
        features[1::2] *= 1 + 2**-20
        return features

    def by_neighbour(batch: Arrays) -> np.ndarray:
        pixels = batch["pixels"]
        features = pixels.reshape(len(pixels), -1).astype(np.float32)
        features[0] *= 1 + 2**-20 * pixels[1].mean()
        return features

    assert unsteadiness(by_place, images(8)) is None
    assert unsteadiness(by_neighbour, images(8)) == Unsteady(
        "company", (0,), 4, pytest.approx(0.02, abs=0.02), pytest.approx(127, abs=10)
    )


def test_nan_and_infinity_that_stay_are_steady_and_those_that_come_are_not() -> None:
    def never_finite(batch: Arrays) -> np.ndarray:
        return np.tile(np.array([np.nan, np.inf, -np.inf], np.float32), (rows_of(batch), 1))

    calls = count()
    assert unsteadiness(never_finite, images(4)) is None
    found = unsteadiness(lambda batch: never_finite(batch) if next(calls) else np.ones((4, 3), np.float32), images(4))
    assert found is not None and found.largest == np.inf


def test_the_error_names_images_says_how_much_and_what_to_do() -> None:
    found = Unsteady("again", (0, 2, 5, 7), 8, 0.25, 0.5)
    said = str(refusal("net.py:drop", found, [f"cat/{i}\x1b.png" for i in range(8)]))
    assert said.startswith(
        "net.py:drop gives different features for the same images in a second pass: 4 of 8 compared "
    )
    assert (
        "(cat/0\\x1b.png, cat/2\\x1b.png, cat/5\\x1b.png, …), by up to 0.25, where the mean absolute feature "
        "is 0.5" in said
    )
    assert "dropout" in said and "--allow-unsteady" in said
    with pytest.raises(ConfigError, match=r"mine gives an image different features if the other images .*\(image 0\)"):
        check_steady("mine", embedding(network(MIXING["centred on the batch"])), images(2))


def test_a_network_is_looked_at_when_it_is_loaded_unless_that_is_waived(tmp_path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    norm = nn.BatchNorm2d(4, track_running_stats=False)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    request = BackboneRequest(f"{tmp_path}/net.py:net", "factory", layer="output")
    with pytest.raises(ConfigError, match=r"in the batch change: 1 of 1 compared \(noise 1\)"):
        load_backbone(request, picture(0, (16, 16)))
    assert load_backbone(request, picture(0, (16, 16)), allow_unsteady=True).width == 4
