"""Attention."""

from __future__ import annotations

import math

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op


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
            flash_attention: a hint for backends with such a kernel; the result is the same.
            attn_logits_soft_cap: limits logits to this size with a tanh.

        Returns:
            Shape `(batch, targets, heads, depth of values)`.

        Raises:
            ValueError: if the shapes do not match.
        """
        _, targets, heads, depth = self.shape(query)
        sources, key_heads = self.shape(key)[1:3]
        if self.shape(key)[:3] != self.shape(value)[:3] or heads % key_heads or self.shape(key)[3] != depth:
            raise ValueError(
                "dot_product_attention needs a query (batch, targets, heads, depth) and a key and a value (batch, "
                f"sources, key heads, depth), whose heads divide the query's; received shapes {self.shape(query)}, "
                f"{self.shape(key)} and {self.shape(value)}."
            )
        if key_heads != heads:
            key, value = (self._repeated_heads(x, heads // key_heads) for x in (key, value))
        q, k, v = (self.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
        q = q * (1.0 / math.sqrt(depth) if scale is None else scale)
        logits = self._wide(self.matmul(q, self._transposed(k)))
        if bias is not None:
            logits = logits + self.cast(bias, self.dtype(logits))
        if attn_logits_soft_cap is not None:
            logits = self.tanh(logits * (1.0 / attn_logits_soft_cap)) * attn_logits_soft_cap
        if is_causal:
            seen = self.arange(sources, dtype="int32") <= self.expand_dims(self.arange(targets, dtype="int32"), 1)
            mask = seen if mask is None else self.logical_and(mask, seen)
        if mask is not None:
            logits = self.where(self.cast(mask, "bool"), logits, 0.7 * dtypes.limits(self.dtype(logits))[0])
        weights = self.cast(self.softmax(logits), self.dtype(v))
        return self.transpose(self.matmul(weights, v), (0, 2, 1, 3))

    def _repeated_heads(self, x: Array, times: int) -> Array:
        batch, sources, heads, depth = self.shape(x)
        x = self.broadcast_to(self.expand_dims(x, 3), (batch, sources, heads, times, depth))
        return self.reshape(x, (batch, sources, heads * times, depth))
