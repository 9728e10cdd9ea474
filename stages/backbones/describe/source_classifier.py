"""The classifier that a backbone was trained with: what it says of features that are its own input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.backbones.families.registry import load
from frostline.stages.backbones.network.cut import INPUT
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.modalities.base import IMAGE


def source_classifier(request: BackboneRequest, layer: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return W, float32 (source classes, d), and b, (source classes,), of a resolved backbone's final classifier.

    None unless the features are its input, the default ``layer``, and it is one linear layer, with weights: a
    1 x 1 convolution (SqueezeNet's) gives no logits of pooled features.
    """
    if request.modality != IMAGE or request.layer is not None or request.pool is not None or not layer.endswith(INPUT):
        return None
    model, name = load(request).module, layer.removesuffix(INPUT)
    module = model.get_submodule(name)
    if not isinstance(module, nn.Linear) or name in unloaded(model):
        return None
    weight = module.weight.detach().float().numpy()
    bias = np.zeros(len(weight), np.float32) if module.bias is None else module.bias.detach().float().numpy()
    return weight, bias
