"""Self-attention made of two fused linear layers around torch's own, or around two batched products."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize.layers.linear import FusedLinear


def is_plain_attention(module: nn.Module) -> TypeGuard[nn.MultiheadAttention]:
    """Whether a module is torch's own attention, batch first, of one width, nothing added to keys and values."""
    return (
        type(module) is nn.MultiheadAttention
        and isinstance(module.in_proj_weight, nn.Parameter)
        and isinstance(module.out_proj.weight, nn.Parameter)
        and module.batch_first
        and module.bias_k is None
        and not module.add_zero_attn
    )


class FusedAttention(nn.Module):
    """Self-attention of ``nn.MultiheadAttention``, without a mask: x (batch, tokens, width).

    The result, and what is added to it, is of all tokens, or only of the ``first`` (batch, 1, width).
    """

    def __init__(self, attention: nn.MultiheadAttention, *, first: bool = False) -> None:
        super().__init__()
        self.heads = attention.num_heads
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        alone = attention.embed_dim if first else 0  # rows that give the query
        self.query = _linear_of(weight, bias, slice(alone)) if first else None
        self.into = _linear_of(weight, bias, slice(alone, None))
        self.out = FusedLinear(attention.out_proj.weight, attention.out_proj.bias)

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        parts = self._by_head(self.into(x))
        query, key, value = parts if self.query is None else (*self._by_head(self.query(x[:, :1].contiguous())), *parts)
        mixed = attended(query, key, value).transpose(1, 2).flatten(2)
        result: Tensor = self.out(mixed, addend)
        return result

    def _by_head(self, x: Tensor) -> tuple[Tensor, ...]:
        """(batch, heads, tokens, width of a head) each, of x (batch, tokens, all widths)."""
        batch, tokens, _ = x.shape
        width = self.out.weight.shape[1] // self.heads
        return x.view(batch, tokens, -1, self.heads, width).permute(2, 0, 3, 1, 4).unbind()


def _linear_of(weight: nn.Parameter, bias: nn.Parameter | None, rows: slice) -> FusedLinear:
    """Return the layer of some rows of a weight and a bias, whose memory it shares."""
    part = nn.Parameter(weight[rows], requires_grad=False)
    return FusedLinear(part, None if bias is None else nn.Parameter(bias[rows], requires_grad=False))


def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what ``scaled_dot_product_attention`` does, (batch, heads, tokens, width of a head).

    Torch's own is the faster in float32; in less it is slower than the products one after the other.
    """
    if query.dtype == torch.float32:
        return functional.scaled_dot_product_attention(query, key, value)
    q, k, v = (part.flatten(0, 1) for part in (query, key, value))
    weights = torch.baddbmm(q.new_empty(1), q, k.mT, beta=0, alpha=q.shape[-1] ** -0.5).softmax(-1)
    return torch.bmm(weights, v).view(query.shape)
