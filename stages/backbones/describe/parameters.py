"""How large a backbone is, as far as its features reach."""

from __future__ import annotations

import torch

from frostline.stages.backbones.families.registry import load
from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.network.joined import names_of
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec


def count_parameters(request: BackboneRequest, spec: BackboneSpec) -> int:
    """Return how many parameters the features of a resolved backbone depend on.

    Those that a gradient of the layer's output reaches: what comes after the layer is not counted, and of
    batch normalisation the scale and the shift are. Raises ConfigError as ``load_backbone`` does.
    """
    model = load(request).module.eval().float()
    parameters = [p.requires_grad_() for p in model.parameters() if p.is_floating_point()]
    if not parameters:
        return 0
    with torch.enable_grad():
        images = torch.zeros(1, 3, *spec.size)
        outputs = [Cut(model, name)(images).sum() for name in names_of(spec.layer)]
        reached = torch.autograd.grad(torch.stack(outputs).sum(), parameters, allow_unused=True)
    return sum(p.numel() for p, gradient in zip(parameters, reached, strict=True) if gradient is not None)
