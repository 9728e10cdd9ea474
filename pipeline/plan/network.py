"""The network of a plan: loaded when it is first needed, and kept."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.machine import device_of
from frostline.pipeline.plan.passed import was_steady
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.modalities.base import IMAGE

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone

log = logging.getLogger("frostline")


class LazyNetwork:
    """A network that takes no time and no memory until ``load`` is called.

    ``spec``: what it is, where that is known before it is loaded. ``unsteady``: what of its features can't be made
    again, nothing if all can, None while nobody has looked.
    """

    def __init__(self, inputs: Inputs, spec: BackboneSpec | None = None) -> None:
        self._inputs, self._spec = inputs, spec
        self._loaded: AnyBackbone | None = None
        self.unsteady: str | None = None

    def load(self) -> AnyBackbone:
        """Return the network in the precision it is in: at first that of the settings, fp32 for ``auto``.

        Raises ConfigError: see ``load_backbone``.
        """
        if self._loaded is None:
            asked = self._inputs.settings.precision
            self._loaded = self._load("fp32" if asked == "auto" else asked)
        return self._loaded

    def at(self, precision: Precision) -> AnyBackbone:
        """Return the network in a precision, and keep that one. Raises ConfigError if it can't run in it."""
        if self._loaded is None:
            self._loaded = self._load(precision)
        elif self._loaded.precision != precision:
            self._loaded = self._loaded.at(precision)
        return self._loaded

    def was_steady(self, precision: Precision) -> bool:
        """Whether the network, in a precision, is known to have been found steady before."""
        return self._spec is not None and was_steady(self._inputs, self._spec, precision)

    def _load(self, precision: Precision) -> AnyBackbone:
        s, request = self._inputs.settings, self._request()
        log.info("loading %s", s.backbone)
        example = self._inputs.first_sample() if request.modality == IMAGE else None
        waived = s.allow_unsteady or self.was_steady(precision)
        how: Any = {"precision": precision, "optimize": s.optimize, "allow_unsteady": waived}
        found: AnyBackbone = load_backbone(request, example, device=device_of(s.device), **how)
        log.info("%s", _cut(found))
        return found

    def _request(self) -> BackboneRequest:
        """Return what is asked for; of a network that is known, its layer and pooling by name: no pass finds them."""
        asked, spec = self._inputs.request, self._spec
        return asked if spec is None else replace(asked, layer=spec.layer, pool=spec.pool)

    def keep(self, network: AnyBackbone) -> None:
        """Keep a copy that is in another precision."""
        self._loaded = network


def _cut(network: AnyBackbone) -> str:
    """Return where features are taken, in a line: the layer, the shape of what it gives, and how that is pooled."""
    shape = ", ".join(map(str, network.given))
    return f"layer {network.spec.layer}, shape ({shape}), pooling {network.spec.pool}: {network.width:,} features"
