"""Attention without projections: with dot products or learned sums of queries and keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, ClassVar, Literal

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import rate
from polykeras.layers.attention.parts import lowest
from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Attention(Layer):
    """Dot-product attention (Luong et al., 2015, https://arxiv.org/abs/1508.04025).

    The output for a query is the mean of the values, weighted by how well their keys match the query. The layer is
    called on a list `[query, value]` or `[query, value, key]`. The query has the shape `(batch, queries, features)`,
    the key `(batch, keys, features)`, and the value `(batch, keys, value_features)`.

    Args:
        use_scale: whether to multiply the scores by a learned number; with `"concat"`, it multiplies the argument of
            `tanh`.
        score_mode: `"dot"` for the product of query and key, or `"concat"` for the sum over `tanh(query + key)`, times
            a learned number.
        dropout: the share of attention weights to drop while training.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the mode is unknown, or `dropout` is out of range.

    Example:
        >>> from polykeras import layers
        >>> layers.Attention()([layers.Input((8, 16)), layers.Input((4, 16))]).shape
        (None, 8, 16)
    """

    sample_by_sample = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: Literal["dot", "concat"] = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"{type(self).__name__}: `score_mode` must be 'dot' or 'concat'; received {score_mode!r}.")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = rate(dropout, "dropout", self)
        self.seed = seed
        if self.dropout:
            self.seed_generator = random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Make the learned numbers."""
        self._check(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if concat else None

    def _check(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ValueError(
                f"{self._title()} takes a list [query, value] or [query, value, key]; received {inputs!r}."
            )

    def _calculate_scores(self, query: Array, key: Array) -> Array:
        """Return the scores of all keys for all queries, `(batch, queries, keys)`."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        total = _sums(query, key)
        total = total if self.scale is None else ops.multiply(total, self.scale)
        return ops.multiply(ops.sum(ops.tanh(total), axis=-1), self.concat_score_weight)

    def call(
        self,
        inputs: Sequence[Array],
        mask: Any = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Array | tuple[Array, Array]:
        """Return the output `(batch, queries, value_features)`, or a tuple of it and the attention weights.

        If masks leave no key for a query, its output is the mean of all values.

        Args:
            inputs: `[query, value]` or `[query, value, key]`; by default the value is the key.
            mask: `[query_mask, value_mask]`, bool `(batch, queries)` and `(batch, keys)`, or None for either. The
                output of a masked query is 0.
            training: whether to apply dropout.
            return_attention_scores: whether to return the weights `(batch, queries, keys)` too.
            use_causal_mask: whether queries are kept from later keys.

        Raises:
            ValueError: inputs or masks are not a list of two or three.
        """
        self._check(inputs)
        query, value, *rest = inputs
        query_mask, value_mask = self._masks(mask)
        scores = self._calculate_scores(query, rest[0] if rest else value)
        seen = [] if value_mask is None else [ops.expand_dims(ops.cast(value_mask, "bool"), -2)]
        if use_causal_mask:
            rows, columns = (ops.arange(n) for n in ops.shape(scores)[-2:])
            seen.append(ops.greater_equal(ops.expand_dims(rows, (0, 2)), ops.expand_dims(columns, (0, 1))))
        if seen:
            scores = ops.where(reduce(ops.logical_and, seen), scores, lowest(scores))
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        output = ops.matmul(weights, value)
        if query_mask is not None:
            output = ops.where(ops.expand_dims(ops.cast(query_mask, "bool"), -1), output, 0)
        return (output, weights) if return_attention_scores else output

    def _masks(self, mask: Any) -> tuple[Any, Any]:
        """Return the masks of query and value from a list."""
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
            raise ValueError(f"{self._title()} takes masks as a list [query_mask, value_mask]; received {mask!r}.")
        return mask[0], mask[1]

    def compute_mask(self, inputs: Sequence[Array], mask: Any = None) -> Array | None:
        """Return the mask of the query.

        Args:
            inputs: the list of query, value and key.
            mask: a list with the masks of query and value, `(batch, time)` each or None; or None.
        """
        return self._masks(mask)[0]


@LAYERS.register()
class AdditiveAttention(Attention):
    """Attention by sums over `scale * tanh(query + key)` (Bahdanau et al., 2014, https://arxiv.org/abs/1409.0473).

    It is called like `Attention`; queries and keys have the same number of features.

    Args:
        use_scale: whether each feature has a learned factor.
        dropout: the share of attention weights to drop while training.
        **kwargs: further arguments of `Attention` and `Layer`.
    """

    sample_by_sample = True
    _not_in_config: ClassVar[tuple[str, ...]] = (*Attention._not_in_config, "score_mode")

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the learned factors of the features."""
        self._check(input_shape)
        self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale") if self.use_scale else None

    def _calculate_scores(self, query: Array, key: Array) -> Array:
        terms = ops.tanh(_sums(query, key))
        return ops.sum(terms if self.scale is None else ops.multiply(terms, self.scale), axis=-1)


def _sums(query: Array, key: Array) -> Array:
    """Return the sum of each query and each key, `(batch, queries, keys, features)`."""
    return ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
