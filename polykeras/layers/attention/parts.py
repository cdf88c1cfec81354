"""Parts of multi-head attention by Keras's private names, which subclasses in other libraries call."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.layers.base.context import current_context
from polykeras.layers.base.layer import Layer


def attention_equations(rank: int, axes: Sequence[int]) -> tuple[str, str]:
    """Return Keras's einsum equations: of keys and queries (the scores), and of weights and values.

    Args:
        rank: the rank of projected queries `(batch, ..., heads, size)`.
        axes: the axes along which attention runs.
    """
    letters = iter(string.ascii_letters)
    queries = [next(letters) for _ in range(rank)]
    keys = [next(letters) if i in axes else letter for i, letter in enumerate(queries)]
    free = [letter for i, letter in enumerate(queries[:-1]) if i not in axes]
    scores = "".join((*free, *(queries[i] for i in axes), *(keys[i] for i in axes)))
    query, key = "".join(queries), "".join(keys)
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"


class AttentionParts(Layer):
    """Base of attention layers whose subclasses may compute scores and weights themselves.

    Attributes:
        dropout: the share of attention weights to drop while training.
        attention_axes: the axes along which attention runs; None for all except the batch and feature axes.
        seed_generator: the random stream of dropout.
    """

    dropout: float
    attention_axes: Any = None
    seed_generator: random.SeedGenerator | None

    def _build_attention(self, rank: int) -> None:
        """Keep the rank of projected queries. A subclass that makes the projections itself calls this in its `build`.

        Args:
            rank: the rank of projected queries `(batch, ..., heads, size)`.
        """
        self._rank = rank

    def _axes(self, rank: int) -> list[int]:
        """Return the axes of attention for inputs of this rank."""
        return [axis % rank for axis in self.attention_axes] if self.attention_axes else list(range(1, rank - 1))

    @property
    def _dot_product_equation(self) -> str:
        """The einsum of keys and queries for the scores."""
        return self._equations()[0]

    @property
    def _combine_equation(self) -> str:
        """The einsum of weights and values for the heads' outputs."""
        return self._equations()[1]

    def _equations(self) -> tuple[str, str]:
        return attention_equations(self._rank, self._axes(self._rank - 1))

    def _masked_softmax(self, attention_scores: Array, attention_mask: Array | None = None) -> Any:
        """Return the attention weights.

        Args:
            attention_scores: `(batch, ..., heads, queries, keys)`.
            attention_mask: bool `(batch, ..., queries, keys)`, whether a query may attend to a key; with the axis of
                the heads or without it.
        """
        count = len(self._axes(self._rank - 1))
        scores, mask = attention_scores, attention_mask
        if mask is not None:
            while ops.ndim(mask) < ops.ndim(scores):
                mask = ops.expand_dims(mask, -2 * count - 1)
            scores = ops.where(ops.cast(mask, "bool"), scores, lowest(scores))
        return ops.softmax(scores, axis=tuple(range(-count, 0)))

    def _dropout_layer(self, weights: Array, training: bool | None = None) -> Any:
        """Return attention weights, of which some are dropped while training (in Keras, this is a layer).

        Args:
            weights: the weights.
            training: whether to drop some; by default, whether the call around trains.
        """
        context = current_context()
        if training is None and context is not None:
            training = context.training
        return random.dropout(weights, self.dropout, seed=self.seed_generator) if training and self.dropout else weights


def lowest(scores: Array) -> float:
    """Return the score for masked keys: it fits the dtype, and its `exp` is 0 relative to any other score."""
    return -3e4 if ops.dtype(scores) == "float16" else -1e9
