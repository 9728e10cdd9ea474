"""A transformers model of texts up to one vector: its tokens pooled, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from frostline.stages.backbones.families.huggingface.text_pools import POOLER

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
"""Of tokens, as sentence-transformers calls them; several are put side by side."""


class TextEncoder(nn.Module):
    """Tokens to features, float (batch, d).

    ``modes``: how tokens are pooled, see ``MODES``, or ``pooler`` alone: the model's own pooled output. ``after``: what
    the pooled vector goes through. ``skipped``: the first tokens, of a prompt, that are not pooled. The vector of a
    text of several windows is the mean of theirs.
    """

    def __init__(
        self, model: nn.Module, modes: Sequence[str], after: Sequence[nn.Module] = (), skipped: int = 0
    ) -> None:
        super().__init__()
        self.model, self.modes, self.after, self.skipped = model, tuple(modes), nn.Sequential(*after), skipped

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, full_windows: Tensor | None = None
    ) -> Tensor:
        """Return the features of ``Tokens`` items; without a mask no token is padding."""
        last = self._window(input_ids, attention_mask)
        if full_windows is None:
            return last
        full = [self._window(full_windows[:, place], None) for place in range(full_windows.shape[1])]
        return torch.stack([*full, last]).mean(0)

    def _window(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        given = self.model(input_ids=ids, attention_mask=mask)
        if self.modes == (POOLER,):
            return self._finished(given.pooler_output)
        hidden = given.last_hidden_state
        counted = torch.ones_like(ids) if mask is None else mask
        pooled = [pooled_tokens(hidden, counted, mode, self.skipped) for mode in self.modes]
        return self._finished(torch.cat(pooled, 1))

    def _finished(self, pooled: Tensor) -> Tensor:
        found: Tensor = self.after(pooled)
        return found


def pooled_tokens(hidden: Tensor, mask: Tensor, mode: str, skipped: int = 0) -> Tensor:
    """Return one vector of each row's tokens, as sentence-transformers pools them.

    ``hidden``: (batch, t, d); ``mask``: (batch, t), 1 for tokens, 0 for padding behind them. Sums are made in float32.
    A row of padding alone gives numbers without meaning, mostly zeros.
    """
    kept = mask.clone()
    kept[:, :skipped] = 0
    if mode == "cls":
        return hidden[torch.arange(len(hidden), device=hidden.device), kept.argmax(1)]
    if mode == "lasttoken":
        return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1).clamp(min=1) - 1]
    if mode == "max":
        return hidden.masked_fill(kept[..., None] == 0, float("-inf")).amax(1)
    weights = kept[..., None].float()
    if mode == "weightedmean":
        weights = weights * torch.arange(1, hidden.shape[1] + 1, device=hidden.device)[:, None]
    total = weights.sum(1).clamp(min=1e-9)
    divisor = total.sqrt() if mode == "mean_sqrt_len_tokens" else total
    return ((hidden.float() * weights).sum(1) / divisor).to(hidden.dtype)


class Normalized(nn.Module):
    """Vectors of length 1."""

    def forward(self, batch: Tensor) -> Tensor:
        return nn.functional.normalize(batch, dim=1)


class Projected(nn.Module):
    """``Dense`` of sentence-transformers: a linear layer, its activation, and maybe the input added."""

    def __init__(self, widths: tuple[int, int], activation: nn.Module, *, bias: bool, residual: bool) -> None:
        super().__init__()
        self.linear, self.activation = nn.Linear(*widths, bias=bias), activation
        self.added = residual
        if residual and widths[0] != widths[1]:
            self.residual: nn.Module = nn.Linear(*widths, bias=False)

    def forward(self, batch: Tensor) -> Tensor:
        given: Tensor = self.activation(self.linear(batch))
        if not self.added:
            return given
        other: Any = getattr(self, "residual", None)
        return given + (batch if other is None else other(batch))
