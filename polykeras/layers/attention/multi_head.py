"""Attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

from polykeras import ops, random
from polykeras.arguments import positive_int, rate
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.saveable import Saveable, SavedGroup
from polykeras.variables import Variable

Projection = tuple[Any, Any]
"""A kernel, and a bias or None."""


@LAYERS.register()
class MultiHeadAttention(Layer):
    """Attention of queries to keys and values, in several heads.

    Source: Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762.

    Args:
        num_heads: how many heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; `key_dim` by default.
        dropout: share of the attention weights to drop while training.
        use_bias: whether projections have biases.
        output_shape: size(s) of the output's last axis or axes; that of the query by default.
        attention_axes: axes along which attention is computed; all but those of batch and features by default.
        sliding_window: a query sees keys at less than this distance only; all by default.
        flash_attention: accepted for Keras code; a backend chooses its kernels itself.
        kernel_initializer: of the projections' kernels `(features, heads, size)`, and `(heads, value_dim, features)`.
        bias_initializer: of their biases.
        kernel_regularizer: penalty on the kernels.
        bias_regularizer: penalty on the biases.
        activity_regularizer: penalty on the projections of query, key and value, and on the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        use_gate: multiply the heads' outputs with `sigmoid` of a projection of the query.
        seed: an int, for a stream of dropout of its own.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> from polykeras import layers
        >>> query, value = layers.Input((8, 16)), layers.Input((4, 16))
        >>> layers.MultiHeadAttention(num_heads=2, key_dim=2)(query, value).shape
        (None, 8, 16)
    """

    sample_by_sample = True
    _not_in_config = (*Layer._not_in_config, "flash_attention", "output_shape")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = positive_int(num_heads, "num_heads", self)
        self.key_dim = positive_int(key_dim, "key_dim", self)
        self.value_dim = positive_int(value_dim, "value_dim", self) if value_dim else self.key_dim
        self.dropout = rate(dropout, "dropout", self)
        self.use_bias = use_bias
        sizes = (output_shape,) if isinstance(output_shape, int) else output_shape
        self._output_sizes = tuple(sizes) if sizes else None
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.sliding_window = positive_int(sliding_window, "sliding_window", self) if sliding_window else None
        self.use_gate = use_gate
        keep_options(
            self,
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    # ---- projections -------------------------------------------------------------------------------------------

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Make the projections.

        Raises:
            ValueError: keys and values differ in more than their features.
        """
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                f"Layer {self.name!r} (MultiHeadAttention) needs a value for each key; received the shapes "
                f"{value_shape} and {key_shape}."
            )
        heads = self.num_heads
        self.query_projection = self._add_projection("query", query_shape, (heads, self.key_dim))
        self.key_projection = self._add_projection("key", key_shape, (heads, self.key_dim))
        if self.use_gate:
            self.gate_projection = self._add_projection("gate", query_shape, (heads, self.value_dim))
        self.value_projection = self._add_projection("value", value_shape, (heads, self.value_dim))
        sizes = self._output_sizes or (query_shape[-1],)
        self.output_projection = self._add_projection("attention_output", (heads, self.value_dim), sizes, bound=2)
        self.input_spec = InputSpec(ndim=len(query_shape), axes={-1: query_shape[-1]})

    def _add_projection(self, name: str, shape: Any, outer: tuple[int, ...], bound: int = 1) -> Projection:
        inner = known_sizes(self, shape, range(-bound, 0))
        kernel = make_weight(self, f"{name}_kernel", (*inner, *outer), prefix="kernel")
        return kernel, make_weight(self, f"{name}_bias", outer, prefix="bias") if self.use_bias else None

    def _saved_variables(self) -> list[Variable]:
        return []  # they are those of its parts

    def _saved_parts(self) -> dict[str, Saveable]:
        # In Keras each projection is a layer of its own.
        parts = dict.fromkeys(("query", "key", "value", "output"), "{}_dense") | {"gate": "_{}_dense"}
        return {
            pattern.format(name): SavedGroup(name, [v for v in getattr(self, f"{name}_projection") if v is not None])
            for name, pattern in parts.items()
            if hasattr(self, f"{name}_projection")
        }

    def _project(self, x: Any, projection: Projection, bound: int = 1) -> Any:
        """Return the product over the last `bound` axes of `x`, plus the bias."""
        kernel, bias = projection
        x = ops.tensordot(x, kernel, axes=bound)
        x = x if bias is None else ops.add(x, bias)
        if bound == 1 and self.activity_regularizer is not None:
            self.add_loss(ops.divide(self.activity_regularizer(x), ops.shape(x)[0]))
        return x

    # ---- attention ---------------------------------------------------------------------------------------------

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Return the output `(batch, ..., features)`, or a tuple of it and the attention weights.

        Where masks leave a query no key, its output is the projected mean of all values.

        Args:
            query: `(batch, ..., features)`; attention runs along the axes between.
            value: `(batch, ..., features)`.
            key: as `value`, which it is by default.
            query_mask: bool `(batch, queries)`, which queries are there.
            value_mask: bool `(batch, keys)`, which values are there.
            key_mask: bool `(batch, keys)`, which keys are there.
            attention_mask: bool `(batch, queries, keys)`, which query may see which key. For several attention axes it
                has those of the queries, then those of the keys.
            return_attention_scores: whether the weights `(batch, heads, queries, keys)` are returned.
            training: whether dropout is applied.
            use_causal_mask: no query sees a later key.
        """
        key = value if key is None else key
        q = self._project(query, self.query_projection)
        k = self._project(key, self.key_projection)
        gate = ops.sigmoid(self._project(query, self.gate_projection)) if self.use_gate else None
        v = self._project(value, self.value_projection)
        mask = self._mask(query, key, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        dropping = bool(training) and self.dropout > 0
        if ops.ndim(q) == 4 and not dropping and not return_attention_scores:
            mask = mask if mask is None or ops.ndim(mask) == 4 else ops.expand_dims(mask, 1)
            output, weights = ops.dot_product_attention(q, k, v, mask=mask, scale=1.0 / math.sqrt(self.key_dim)), None
        else:
            output, weights = self._attend(q, k, v, mask, dropping)
        output = self._project(output if gate is None else ops.multiply(output, gate), self.output_projection, bound=2)
        return (output, weights) if return_attention_scores else output

    def _axes(self, rank: int) -> list[int]:
        """Return the axes of attention for inputs of that rank."""
        return [axis % rank for axis in self.attention_axes] if self.attention_axes else list(range(1, rank - 1))

    def _attend(self, q: Any, k: Any, v: Any, mask: Any, dropping: bool) -> tuple[Any, Any]:
        """Return the heads' outputs, `(batch, ..., heads, value_dim)`, and the attention weights."""
        rank = ops.ndim(q)
        axes = self._axes(rank - 1)
        rest = [i for i in range(rank - 2) if i not in axes]
        # (batch, ..., heads, size) becomes (batch and free axes, heads, attended places, size).
        order = [*rest, rank - 2, *axes, rank - 1]
        targets, sources = ([ops.shape(x)[i] for i in axes] for x in (q, k))
        free = [*(ops.shape(q)[i] for i in rest), self.num_heads]

        def folded(x: Any, places: list[int]) -> Any:
            return ops.reshape(ops.transpose(x, order), (*free, math.prod(places), ops.shape(x)[-1]))

        scaled = ops.multiply(folded(q, targets), 1.0 / math.sqrt(self.key_dim))
        scores = ops.matmul(scaled, ops.swapaxes(folded(k, sources), -1, -2))
        if mask is not None:
            scores = ops.where(self._folded_mask(mask, len(axes), len(free) + 2), scores, _lowest(scores))
        weights = ops.softmax(scores, axis=-1)
        used = random.dropout(weights, self.dropout, seed=self.seed_generator) if dropping else weights
        output = ops.reshape(ops.matmul(used, folded(v, sources)), (*free, *targets, self.value_dim))
        weights = ops.reshape(weights, (*free, *targets, *sources))
        return ops.transpose(output, [order.index(i) for i in range(rank)]), weights

    def _folded_mask(self, mask: Any, count: int, rank: int) -> Any:
        """Return a mask with the axes of the scores, `(batch and free axes, heads, queries, keys)`."""
        shape = ops.shape(mask)
        kept, targets, sources = shape[: -2 * count], shape[-2 * count : -count], shape[-count:]
        if not kept:
            raise ValueError(
                f"Layer {self.name!r} (MultiHeadAttention) attends along {count} axes and needs an `attention_mask` of "
                f"(batch, axes of queries, axes of keys); received masks that make the shape {shape}."
            )
        return ops.reshape(mask, (*kept, *(1,) * (rank - 2 - len(kept)), math.prod(targets), math.prod(sources)))

    def _mask(
        self, query: Any, key: Any, query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, causal: bool
    ) -> Any:
        """Return which query may see which key, `(batch, queries, keys)`, or None."""
        parts = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        parts += [ops.expand_dims(ops.cast(mask, "bool"), -2) for mask in (value_mask, key_mask) if mask is not None]
        if causal or self.sliding_window:
            axis = self._axes(ops.ndim(query))[0]
            rows, columns = ops.arange(ops.shape(query)[axis]), ops.arange(ops.shape(key)[axis])
            distance = ops.subtract(ops.expand_dims(rows, (0, 2)), ops.expand_dims(columns, (0, 1)))
            if causal:
                parts.append(ops.greater_equal(distance, 0))
            if self.sliding_window:
                parts.append(ops.less(ops.abs(distance), self.sliding_window))
        return reduce(ops.logical_and, parts) if parts else None

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the query."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return super().get_config() | {"output_shape": self._output_sizes}


def _lowest(scores: Any) -> float:
    return -3e4 if ops.dtype(scores) == "float16" else -1e9
