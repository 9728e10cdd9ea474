"""A linear layer with what follows it in one pass over memory, and self-attention made of such layers."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize.onednn import NO_ACTIVATION, Activation, applied, computes_in


def is_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether a module is a plain linear layer, nothing of it computed by code of another's."""
    return type(module) is nn.Linear and isinstance(module.weight, nn.Parameter)


def is_attention(module: nn.Module) -> TypeGuard[nn.MultiheadAttention]:
    """Whether a module is torch's own attention, batch first, of one width, nothing added to keys and values."""
    return (
        type(module) is nn.MultiheadAttention
        and isinstance(module.in_proj_weight, nn.Parameter)
        and isinstance(module.out_proj.weight, nn.Parameter)
        and module.batch_first
        and module.bias_k is None
        and not module.add_zero_attn
    )


class FusedLinear(nn.Module):
    """``activation(linear(x))``, or ``linear(x) + other``.

    The weights are brought into the processor's own order at the first batch of a number of rows.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        self.activation: Activation = NO_ACTIVATION
        self._packed: tuple[Any, Tensor] | None = None

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        shape = (*x.shape[:-1], len(self.weight))
        if not computes_in(self.weight.dtype) or (other is not None and other.shape != shape):
            written = applied(self.activation, functional.linear(x, self.weight, self.bias))
            return written if other is None else written + other
        weight = self._weight_for(x)
        if other is None:
            result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, self.bias, *self.activation)
        else:
            result = torch.ops.mkldnn._linear_pointwise.binary(x, other, weight, self.bias, "add")
        return result

    def _weight_for(self, x: Tensor) -> Tensor:
        wanted = (x.shape[:-1].numel(), self.weight.dtype)
        if self._packed is None or self._packed[0] != wanted:
            self._packed = wanted, torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), wanted[0])
        return self._packed[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}


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

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        parts = self._by_head(self.into(x))
        query, key, value = parts if self.query is None else (*self._by_head(self.query(x[:, :1].contiguous())), *parts)
        mixed = attended(query, key, value).transpose(1, 2).flatten(2)
        result: Tensor = self.out(mixed, other)
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
