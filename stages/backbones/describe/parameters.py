"""How large a backbone is, as far as its features reach."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.registry import load
from frostline.stages.backbones.inference.item_backbone import noise_for
from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.network.joined import names_of
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec


def count_parameters(request: BackboneRequest, spec: BackboneSpec) -> int:
    """Return how many parameters the features of a resolved backbone depend on.

    Those that a gradient of the layer's output reaches: what comes after the layer is not counted, and of
    batch normalisation the scale and the shift are. Raises ConfigError as ``load_backbone`` does.
    """
    loaded = load(request)
    model = loaded.module.eval().float()
    parameters = [p.requires_grad_() for p in model.parameters() if p.is_floating_point()]
    if not parameters:
        return 0
    with torch.enable_grad():
        outputs = [one.sum() for one in _outputs(model, loaded, spec)]
        reached = torch.autograd.grad(torch.stack(outputs).sum(), parameters, allow_unused=True)
    return sum(p.numel() for p, gradient in zip(parameters, reached, strict=True) if gradient is not None)


def _outputs(model: nn.Module, loaded: LoadedModel, spec: BackboneSpec) -> list[Tensor]:
    """Return what the layers give of some input."""
    if spec.size:
        images = torch.zeros(1, 3, *spec.size)
        return [Cut(model, name)(images) for name in names_of(spec.layer)]
    items = noise_for(loaded.preprocessing, 2)
    return [model(**{name: torch.from_numpy(array) for name, array in items.items()})]
