"""An image tower of open_clip, parted into what comes before its projection, and the projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

_OF_QUERIES = ("visual.attn_pool", "visual.ln_post")


class ImageTower(nn.Module):
    """Images, (batch, 3, height, width), to features: those of ``encode_image(images, normalize=False)``.

    The input of ``projection`` is what is before it.
    """

    def __init__(self, visual: nn.Module, projection: nn.Module | None) -> None:
        super().__init__()
        self.visual, self.projection = visual, projection

    def forward(self, batch: Tensor) -> Tensor:
        given = self.visual(batch)
        first: Tensor = given[0] if isinstance(given, tuple) else given  # a CoCa gives tokens beside it
        return first if self.projection is None else self.projection(first)


class Matrix(nn.Module):
    """Multiplication by a matrix, (width, features), as open_clip writes it."""

    def __init__(self, matrix: nn.Parameter) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, rows: Tensor) -> Tensor:
        return rows @ self.matrix


def without_projection(visual: Any) -> nn.Module | None:
    """Take the projection out of a tower and return it; None where it is no part of its own, or there is none."""
    matrix = getattr(visual, "proj", None)
    if isinstance(matrix, nn.Parameter):
        visual.proj = None
        return Matrix(matrix)
    head = getattr(visual, "head", None)
    for name in ("proj", "mlp"):
        projection = getattr(head, name, None)
        if isinstance(projection, nn.Module):
            setattr(head, name, nn.Identity())
            return projection
    return None


def prefix_tokens(visual: Any, layers: Sequence[str]) -> int | None:
    """Return how many tokens come before those of the patches, None where that is not known.

    What an attention pool gives, and the norm after it, are its queries, which are no patches.
    """
    if getattr(visual, "attn_pool", None) is not None and any(one.startswith(_OF_QUERIES) for one in layers):
        return None
    if hasattr(visual, "class_embedding"):
        return 1
    found = getattr(getattr(visual, "trunk", None), "num_prefix_tokens", None)
    return found if isinstance(found, int) else None


def patch_size(visual: Any) -> tuple[int, int] | None:
    """Return height and width of a patch, None of towers that attend to none."""
    embedding = getattr(getattr(visual, "trunk", visual), "patch_embed", None)
    found = getattr(embedding or visual, "patch_size", None)
    if isinstance(found, int):
        return found, found
    return (found[0], found[1]) if isinstance(found, tuple) else None
