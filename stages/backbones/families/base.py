"""What every family of networks gives: a network, its weights loaded."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from frostline.stages.modalities.image.spec import Preprocessing


@dataclass(frozen=True)
class Origin:
    """A network on the CPU with its weights loaded, and what is known of it before it is traced.

    ``weights``: the digest of their bytes. ``code``: what else makes its numbers, such as
    the digest of the user's source. ``layer``: the default layer, or None for the input of
    the final classifier.
    """

    model: nn.Module
    weights: str
    preprocessing: Preprocessing
    code: str = ""
    layer: str | None = None
