"""Every torchvision classification model: is the default feature the input of its final classifier?

    python -m benchmarks.extraction.all_backbones [NAME ...]

Each model, with random weights, embeds two images of noise at its own size, one model at a
time. Its classifier's W and b, applied to the features, are compared with its own logits.
Where something follows the classifier (SqueezeNet's is a 1 x 1 convolution, then ReLU, then
the mean over positions), they are compared with the mean of what the classifier itself
gives, and the line says so. Exits with status 1 if any model disagrees.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.modalities.image.spec import Preprocessing

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Result:
    """What one model gave; as text, its line of the table."""

    name: str
    layer: str
    width: int
    parameters: int
    difference: float
    note: str

    def __str__(self) -> str:
        numbers = f"{self.width:>6,} {self.parameters / 1e6:>8.1f} M  {self.difference:.1e}"
        return f"{self.name:20} {self.layer:22} {numbers}  {self.note}".rstrip()


def plain(name: str) -> nn.Module:
    """Return the model in plain torchvision, its weights drawn as Frostline draws them."""
    aux = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    model: nn.Module = torchvision.models.get_model(name, weights=None, **aux)
    return model.eval()


def to_input(pixels: NDArray[np.uint8], how: Preprocessing) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (how.mean, how.std))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std


@torch.inference_mode()
def compare(model: nn.Module, head: nn.Linear | nn.Conv2d, features: Tensor, x: Tensor) -> tuple[float, str]:
    """Return the largest difference over the largest W · f, and what was compared.

    W and b are drawn anew, on the features' scale: some of torchvision's heads begin as
    zeros, which would agree with anything, and some features vanish beside the first b.
    """
    for values in head.parameters():
        nn.init.normal_(values, std=0.01 if values.ndim > 1 else 0.01 * float(features.abs().max()))
    given: list[Tensor] = []
    head.register_forward_hook(lambda *call: given.append(call[-1].clone()))
    logits = model(x)
    product = features @ head.weight.flatten(1).T
    got = product if head.bias is None else product + head.bias
    as_it_is = given[0].ndim == 2 and torch.equal(given[0], logits)
    wanted = logits if as_it_is else given[0].mean((2, 3))
    difference = float((got - wanted).abs().max() / product.abs().max())
    return difference, "" if as_it_is else "(mean of what the classifier gives, before ReLU)"


def check(name: str) -> Result:
    noise = np.random.default_rng(1).integers(0, 256, (2, 600, 600, 3), np.uint8)
    backbone = load_backbone(BackboneRequest(name, "random"), Image.fromarray(noise[0]))
    height, width = backbone.spec.size
    pixels = noise[:, :height, :width]
    features, spec = torch.from_numpy(backbone.embed({"pixels": pixels})), backbone.spec
    how = backbone.preprocessing
    assert isinstance(how, Preprocessing)
    del backbone
    model = plain(name)
    head = model.get_submodule(spec.layer.removesuffix(":input"))
    assert isinstance(head, nn.Linear | nn.Conv2d)
    parameters = sum(values.numel() for values in model.parameters())
    difference, note = compare(model, head, features, to_input(pixels, how))
    return Result(name, spec.layer, features.shape[1], parameters, difference, note)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")
    names = parser.parse_args().names or torchvision.models.list_models(module=torchvision.models)
    print(f"{'model':20} {'layer':22} {'width':>6} {'parameters':>10}  largest relative difference", flush=True)
    started, agreeing = time.perf_counter(), 0
    for name in names:
        result = check(name)
        agreeing += result.difference <= TOLERANCE
        print(result if result.difference <= TOLERANCE else f"{result}  DISAGREES", flush=True)
    print(f"{agreeing} of {len(names)} agree to {TOLERANCE:.0e} ({time.perf_counter() - started:.0f} s)")
    return 0 if agreeing == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
