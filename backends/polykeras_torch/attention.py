"""Attention on torch's kernels, which never hold the scores of all targets."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual
from torch.nn import functional

from polykeras.backend.families.attention import Attention
from polykeras_torch.arrays import is_cut
from polykeras_torch.autodiff import carried
from polykeras_torch.private import ATTENTION, ATTENTION_BACKWARD, any_autocast, is_transformed

# With fewer sources, torch's kernel for the CPU gives 0 for a target whose scores are all nan (torch 2.13): a vector of
# floats is not full, and its plain code compares with `<`.
FEWEST = 16

_public: Callable[..., Tensor] = functional.scaled_dot_product_attention


class TorchAttention(Attention):
    """The composite remains for what kernels lack: limits of scores, and gradients of a bias, or of gradients."""

    def dot_product_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None = None,
        mask: Tensor | None = None,
        scale: float | None = None,
        is_causal: bool = False,
        flash_attention: bool | None = None,
        attn_logits_soft_cap: float | None = None,
    ) -> Tensor:
        _, _, times = self._attention_sizes(query, key, value)
        suits = flash_attention is not False and attn_logits_soft_cap is None and _suits(query, key, value, bias, scale)
        hidden = _hidden(query, key, bias, mask, is_causal) if suits else None
        if hidden is None:
            return super().dot_product_attention(
                query, key, value, bias, mask, scale, is_causal, flash_attention, attn_logits_soft_cap
            )
        depth, depth_of_values = query.shape[3], value.shape[3]
        scale = 1.0 / math.sqrt(depth) if scale is None else float(scale)
        if times > 1:
            key, value = (self._repeated_heads(x, times) for x in (key, value))
        size = max(depth, depth_of_values)
        q, k, v = (_for_kernel(x, size) for x in (query, key, value))
        composite = partial(self._composite, hidden.scores, hidden.is_causal, scale)
        result = _Attention.apply(composite, hidden.scores, hidden.is_causal, scale, q, k, v)
        result = result.transpose(1, 2)[..., :depth_of_values]
        return result if hidden.sees is None else torch.where(hidden.sees, result, value.mean(1, keepdim=True))

    def _composite(
        self, scores: Tensor | None, is_causal: bool, scale: float, q: Tensor, k: Tensor, v: Tensor
    ) -> Tensor:
        """Return what the kernels return."""
        parts = {"q": q * scale} | ({} if scores is None else {"bias": scores})
        if self._in_blocks(q.shape[2], k.shape[2], None):
            return self._attended_in_blocks(parts, k, v, is_causal, None)
        return self._attended(parts, 0, k, v, is_causal, None)


def _for_kernel(x: Tensor, size: int) -> Tensor:
    """Return heads first. Kernels take values of the depth of queries alone, and rows that lie in one piece."""
    x = functional.pad(x, (0, size - x.shape[3])) if size > x.shape[3] else x  # zeros change no product
    return (x if x.stride(3) == 1 else x.contiguous()).transpose(1, 2)


def _suits(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: Any) -> bool:
    arrays = (query, key, value)
    return (
        all(x.numel() and x.is_floating_point() and not is_cut(x) for x in arrays)
        and query.shape[0] == key.shape[0]  # a kernel does not check it
        and key.shape[1] >= FEWEST
        and (scale is None or (not isinstance(scale, Tensor) and scale > 0))  # it scales the infinity that hides, too
        and not any(unpack_dual(x).tangent is not None for x in arrays)
        and not (bias is not None and (bias.requires_grad or is_cut(bias)))
        and not is_transformed()
        and not any_autocast()  # the composite obeys it operation by operation
    )


def _has_pair(x: Tensor) -> bool:
    return x.device.type == "cpu" and (ATTENTION and ATTENTION_BACKWARD) is not None


class _Hidden(NamedTuple):
    """Which sources a kernel hides from which targets."""

    scores: Tensor | None
    """Added to the scores, of four axes."""
    is_causal: bool
    """Whether the kernel hides later sources."""
    sees: Tensor | None
    """Whether a target sees any source; broadcasts to `(batch, targets, heads, 1)`. None where all do. The others get
    the mean of all sources, which no kernel gives and differentiates."""


def _hidden(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None, is_causal: bool) -> _Hidden | None:
    """Return what a kernel hides; None where it would need an array that is larger than those that are given."""
    targets, sources, sees = query.shape[1], key.shape[1], None
    whole = (query.shape[0], query.shape[2], targets, sources)
    given = [x.shape for x in (bias, mask) if x is not None]
    if any(len(shape) > 4 for shape in given) or torch.broadcast_shapes(whole, *given) != whole:
        return None  # it makes the result larger
    dtype = torch.float32 if _has_pair(query) and query.dtype is not torch.float64 else query.dtype
    scores, mask = (None if x is None else x[(None,) * (4 - x.ndim)] for x in (bias, mask))
    scores = None if scores is None else scores.to(dtype)
    if mask is not None:
        mask = mask.to(torch.bool)
        if is_causal and mask.shape[-1] != sources:
            return None
        if is_causal and mask.shape[-2] > 1:
            mask, is_causal = mask.tril(), False
        if is_causal:  # one mask for all targets, of which each sees a part
            last = torch.arange(targets, device=mask.device).clamp(max=sources - 1)
            sees = (mask.cumsum(-1) > 0)[..., 0, :].index_select(-1, last)
        else:
            sees = mask.any(-1)
        sees = sees.transpose(1, 2)[..., None]
        # Infinity would make nan of a target that sees no source.
        low = torch.full((), 0.7 * torch.finfo(dtype).min, dtype=dtype, device=mask.device)
        scores = torch.zeros_like(low) if scores is None else scores
        if math.prod(torch.broadcast_shapes(mask.shape, scores.shape)) > max(mask.numel(), scores.numel()):
            return None
        scores = torch.where(mask, scores, low)
    if is_causal and scores is not None and not _has_pair(query):
        return None  # torch's public function takes one of the two
    return _Hidden(scores, is_causal, sees)


class _Attention(torch.autograd.Function):
    """A kernel, forward and backward. The derivative of the backward pass is that of the composite."""

    @staticmethod
    def forward(
        ctx: Any,
        composite: Callable[..., Tensor],
        scores: Tensor | None,
        is_causal: bool,
        scale: float,
        *arrays: Tensor,
    ) -> Tensor:
        ctx.composite, ctx.options = carried(composite), (is_causal, scale)
        if _has_pair(arrays[0]):
            result, sums = ATTENTION(*arrays, 0.0, is_causal, attn_mask=scores, scale=scale)
        else:
            result, sums = _public(*arrays, scores, 0.0, is_causal, scale=scale), None
        ctx.save_for_backward(*arrays, scores, result, sums)
        return result

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        *arrays, scores, result, sums = ctx.saved_tensors
        is_causal, scale = ctx.options
        rest = (0.0, is_causal)
        if torch.is_grad_enabled():  # the gradient may be differentiated
            wanted = [x for x, needed in zip(arrays, ctx.needs_input_grad[4:], strict=True) if needed]
            found = iter(torch.autograd.grad(ctx.composite(*arrays), wanted, slope, create_graph=True))
            slopes = [next(found) if needed else None for needed in ctx.needs_input_grad[4:]]
        elif sums is not None:
            slopes = ATTENTION_BACKWARD(slope, *arrays, result, sums, *rest, attn_mask=scores, scale=scale)
        else:  # torch keeps what it needs in a graph of its own
            with torch.enable_grad():
                leaves = [x.detach().requires_grad_() for x in arrays]
                again = _public(*leaves, scores, *rest, scale=scale)
            slopes = torch.autograd.grad(again, leaves, slope)
        return None, None, None, None, *slopes
