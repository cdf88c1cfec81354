"""Attention."""

from __future__ import annotations

import math
from typing import Any

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op

BLOCK = 128
"""The number of targets whose scores are made at a time."""
MANY_SCORES = 2**24
"""So many scores of one head are made block by block: 64 MB of float32, and as much again for each step of softmax."""


class Attention(Family):
    """Weighted means of values; the weights come from products of queries and keys."""

    @op("query key value bias", "float", others="mask")
    def dot_product_attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        bias: Array | None = None,
        mask: Array | None = None,
        scale: float | None = None,
        is_causal: bool = False,
        flash_attention: bool | None = None,
        attn_logits_soft_cap: float | None = None,
    ) -> Array:
        """Return the means of values, weighted by the softmax of products of queries and keys (Vaswani et al., 2017).

        Args:
            query: shape `(batch, targets, heads, depth)`.
            key: shape `(batch, sources, key heads, depth)`. The number of key heads divides the number of heads; each
                key head serves a group of neighbouring heads.
            value: shape `(batch, sources, key heads, depth of values)`.
            bias: added to the logits; broadcasts to `(batch, heads, targets, sources)`.
            mask: bool, True where a target may see a source; broadcasts like `bias`. A target that sees no source gets
                the plain mean of all.
            scale: the factor of the products; by default `1 / sqrt(depth)`.
            is_causal: whether a target sees no later source.
            flash_attention: a hint; the result is the same. True: never hold the scores of all targets at once, so that
                memory grows with the length, not with its square; slower where scores are few. False: hold them all.
                None: the backend chooses. Where it has no kernel, and where the length is not known while a graph is
                made, that depends on the number of scores.
            attn_logits_soft_cap: limits logits to this size with a tanh.

        Returns:
            Shape `(batch, targets, heads, depth of values)`.

        Raises:
            ValueError: if the shapes do not match.
        """
        targets, depth, times = self._attention_sizes(query, key, value)
        if times > 1:
            key, value = (self._repeated_heads(x, times) for x in (key, value))
        q, k, v = (self.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
        q = q * (1.0 / math.sqrt(depth) if scale is None else scale)
        parts = {"q": q} | {name: x for name, x in (("bias", bias), ("mask", mask)) if x is not None}
        if self._in_blocks(targets, self.shape(key)[1], flash_attention):
            result = self._attended_in_blocks(parts, k, v, is_causal, attn_logits_soft_cap)
        else:
            result = self._attended(parts, 0, k, v, is_causal, attn_logits_soft_cap)
        return self.transpose(result, (0, 2, 1, 3))

    def _attention_sizes(self, query: Array, key: Array, value: Array) -> tuple[int, int, int]:
        """Check the shapes. Return the targets, the depth, and how many heads share a key head."""
        _, targets, heads, depth = self.shape(query)
        key_heads = self.shape(key)[2]
        if self.shape(key)[:3] != self.shape(value)[:3] or heads % key_heads or self.shape(key)[3] != depth:
            raise ValueError(
                "dot_product_attention needs a query (batch, targets, heads, depth) and a key and a value (batch, "
                f"sources, key heads, depth), whose heads divide the query's; received shapes {self.shape(query)}, "
                f"{self.shape(key)} and {self.shape(value)}."
            )
        return targets, depth, 1 if key_heads == heads else heads // key_heads

    def _repeated_heads(self, x: Array, times: int) -> Array:
        batch, sources, heads, depth = self.shape(x)
        x = self.broadcast_to(self.expand_dims(x, 3), (batch, sources, heads, times, depth))
        return self.reshape(x, (batch, sources, heads * times, depth))

    def _in_blocks(self, targets: int, sources: int, hint: bool | None) -> bool:
        """Return whether to make the scores of some targets at a time. Sizes that are not known are no plain ints."""
        if hint is False or type(targets) is not int or type(sources) is not int:
            return False
        return targets > BLOCK and (hint is True or targets * sources >= MANY_SCORES)

    def _attended(
        self, parts: dict[str, Array], first: Any, k: Array, v: Array, is_causal: bool, soft_cap: Any
    ) -> Array:
        """Return the means of values for targets in a row.

        Args:
            parts: `q`, the scaled queries `(batch, heads, targets, depth)`, and the `bias` and the `mask` if given.
            first: the place of the first one, an int or an int32 scalar.
            k: the keys, `(batch, heads, sources, depth)`.
            v: the values, `(batch, heads, sources, depth of values)`.
            is_causal: as in `dot_product_attention`.
            soft_cap: `attn_logits_soft_cap`.
        """
        q, bias, mask = parts["q"], parts.get("bias"), parts.get("mask")
        logits = self._wide(self.matmul(q, self._transposed(k)))
        if bias is not None:
            logits = logits + self.cast(bias, self.dtype(logits))
        if soft_cap is not None:
            logits = self.tanh(logits * (1.0 / soft_cap)) * soft_cap
        if is_causal:
            targets, sources = (self.arange(self.shape(x)[2], dtype="int32") for x in (q, k))
            seen = sources <= self.expand_dims(targets + first, 1)
            mask = seen if mask is None else self.logical_and(mask, seen)
        if mask is not None:
            logits = self.where(self.cast(mask, "bool"), logits, 0.7 * dtypes.limits(self.dtype(logits))[0])
        return self.matmul(self.cast(self.softmax(logits), self.dtype(v)), v)

    def _attended_in_blocks(self, parts: dict[str, Array], k: Array, v: Array, is_causal: bool, soft_cap: Any) -> Array:
        """Return what `_attended` returns. Gradients make the scores of a block again instead of keeping them."""
        targets = self.shape(parts["q"])[2]

        def block(parts: dict[str, Array], first: Any, k: Array, v: Array) -> Array:
            return self._attended(parts, first, k, v, is_causal, soft_cap)

        attend = self._closed_remat(block)
        cut = {name: x for name, x in parts.items() if self.ndim(x) > 1 and self.shape(x)[-2] == targets}
        shared = {name: x for name, x in parts.items() if name not in cut}  # one bias or mask for all targets
        whole = targets // BLOCK
        firsts = self.arange(0, whole * BLOCK, BLOCK, dtype="int32")
        rows = {name: self._in_rows(x, whole) for name, x in cut.items()}
        blocks = self.map(lambda x: attend({**x[0], **shared}, x[1], k, v), (rows, firsts))
        blocks = self.moveaxis(blocks, 0, 2)  # (batch, heads, blocks, BLOCK, depth of values)
        shape = self.shape(blocks)
        result = self.reshape(blocks, (*shape[:2], whole * BLOCK, shape[-1]))
        if whole * BLOCK == targets:
            return result
        rest = {name: self._axis_slice(x, self.ndim(x) - 2, whole * BLOCK, targets) for name, x in cut.items()}
        last = attend({**rest, **shared}, self.asarray(whole * BLOCK, "int32"), k, v)
        return self.concatenate([result, last], 2)

    def _in_rows(self, x: Array, whole: int) -> Array:
        """Return whole blocks of the last axis but one, along a new first axis."""
        axis = self.ndim(x) - 2
        x = self._axis_slice(x, axis, 0, whole * BLOCK)
        shape = self.shape(x)
        return self.moveaxis(self.reshape(x, (*shape[:axis], whole, BLOCK, shape[-1])), axis, 0)
