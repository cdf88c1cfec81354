"""Multi-head attention: projections, masks, and the attention itself."""

from __future__ import annotations

import math
import string
from functools import reduce
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.types import InputShape
from polykeras.config import is_flash_attention_enabled
from polykeras.initializers import Initializer
from polykeras.layers.attention.parts import AttentionParts, lowest
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.weights import Options, as_arguments, known_sizes
from polykeras.layers.core.einsum_dense import EinsumDense


class Heads(AttentionParts):
    """Base of multi-head attention layers, which set the attributes below.

    Attributes:
        use_bias: whether projections have biases.
        use_gate: whether the heads' outputs are multiplied by `sigmoid` of a projection of the query.
        sliding_window: a query attends only to keys at less than this distance; None for all.
    """

    use_bias: bool
    use_gate: bool
    sliding_window: int | None
    _flash_attention: bool | None = None

    def _set_flash_attention(self, flash_attention: bool | None, dropout: float) -> None:
        """Keep the hint, or the one of `config`, as it is now.

        Raises:
            ValueError: if True, with dropout, which needs all attention weights.
        """
        if flash_attention and dropout:
            raise ValueError(
                f"{type(self).__name__}: `flash_attention=True` holds no attention weights to drop; received "
                f"`dropout={dropout}`. Leave one of them out."
            )
        self._flash_attention = is_flash_attention_enabled() if flash_attention is None else flash_attention

    # ---- projections -------------------------------------------------------------------------------------------

    def _make_projections(
        self,
        shapes: tuple[Any, Any, Any],
        queries: tuple[int, int],
        keys: tuple[int, int],
        values: tuple[int, int],
        sizes: InputShape,
    ) -> None:
        """Make the projections.

        Args:
            shapes: the shapes of query, value and key; the key's may be None.
            queries: the number of query heads, and their size.
            keys: the number of key heads, and their size.
            values: the number of value heads, and their size.
            sizes: the output's axes that replace the feature axis.

        Raises:
            ValueError: the shapes of keys and values differ in more than their features.
        """
        query_shape, value_shape, key_shape = shapes
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                f"{self._title()} needs a value for each key; received the shapes {value_shape} and {key_shape}."
            )
        heads = (queries[0], values[1])
        self._query_dense = self._projection("query", query_shape, queries)
        self._key_dense = self._projection("key", key_shape, keys)
        if self.use_gate:
            self._gate_dense = self._projection("gate", query_shape, heads)
        self._value_dense = self._projection("value", value_shape, values)
        self._output_dense = self._projection("attention_output", (*query_shape[:-1], *heads), sizes, bound=2)
        self.input_spec = InputSpec(ndim=len(query_shape), axes={-1: query_shape[-1]})
        self._build_attention(len(query_shape) + 1)

    def _projection(self, name: str, shape: Any, outer: InputShape, bound: int = 1) -> EinsumDense:
        """Return a dense layer that replaces the last `bound` axes of its inputs by the axes `outer`."""
        known_sizes(self, shape, range(-bound, 0))
        free, letters = len(shape) - bound, iter(string.ascii_letters)
        before, inner, after = ("".join(next(letters) for _ in range(n)) for n in (free, bound, len(outer)))
        dense = EinsumDense(
            f"{before}{inner},{inner}{after}->{before}{after}",
            (*(None,) * (free - 1), *outer),
            activation="sigmoid" if name == "gate" else None,
            bias_axes=after if self.use_bias else None,
            name=name,
            **self._get_common_kwargs_for_sublayer()
            | ({"activity_regularizer": None} if name == "attention_output" else {}),
        )
        dense.build(shape)
        return dense

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        """Return the arguments that projections share. Layers of other libraries make further projections with them."""
        options = as_arguments(kernel=self._options("kernel"), bias=self._options("bias"))
        return options | {"activity_regularizer": self.activity_regularizer, "dtype": self.dtype_policy}

    def _options(self, prefix: str) -> Options:
        """Return a copy of the initializer for one projection, and the shared regularizer and constraint."""
        initializer, regularizer, constraint = (
            getattr(self, f"{prefix}_{kind}") for kind in ("initializer", "regularizer", "constraint")
        )
        own = initializer.clone() if isinstance(initializer, Initializer) else initializer
        return own, regularizer, constraint

    # ---- attention ---------------------------------------------------------------------------------------------

    def call(
        self,
        query: Array,
        value: Array,
        key: Array | None = None,
        query_mask: Array | None = None,
        value_mask: Array | None = None,
        key_mask: Array | None = None,
        attention_mask: Array | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Array | tuple[Array, Array]:
        """Return the output `(batch, ..., features)`, or a tuple of it and the attention weights.

        If masks leave no key for a query, its output is the projected mean of all values.

        Args:
            query: an array `(batch, ..., features)`; attention runs along the axes between.
            value: an array `(batch, ..., features)`.
            key: an array `(batch, ..., features)`; `value` by default.
            query_mask: bool `(batch, queries)`, False for missing queries.
            value_mask: bool `(batch, keys)`, False for missing values.
            key_mask: bool `(batch, keys)`, False for missing keys.
            attention_mask: bool `(batch, queries, keys)`, whether a query may attend to a key. With several attention
                axes, it has the axes of the queries, then those of the keys.
            return_attention_scores: whether to return the weights `(batch, heads, queries, keys)` too.
            training: whether to apply dropout.
            use_causal_mask: whether queries are kept from later keys.
        """
        key = value if key is None else key
        q, k, v = (
            self._query_dense(query),
            self._repeated(self._key_dense(key)),
            self._repeated(self._value_dense(value)),
        )
        gate = self._gate_dense(query) if self.use_gate else None
        by_op = use_causal_mask and self._leaves_causality_to_the_op(query, training, return_attention_scores)
        mask = self._compute_attention_mask(
            query, key, query_mask, value_mask, key_mask, attention_mask, use_causal_mask=use_causal_mask and not by_op
        )
        if by_op:
            output, weights = self._attended_by_op(q, k, v, mask, is_causal=True), None
        else:
            output, weights = self._compute_attention(q, k, v, mask, training, return_attention_scores)
        output = self._output_dense(output if gate is None else ops.multiply(output, gate))
        return (output, weights) if return_attention_scores else output

    def _leaves_causality_to_the_op(self, query: Array, training: bool | None, scores: bool) -> bool:
        """Return whether the op hides later keys, so that no mask of all queries and keys is made for that.

        Who overrides one of the two methods gets the whole mask.
        """
        names = ("_compute_attention_mask", "_compute_attention")
        own = all(getattr(getattr(self, name), "__func__", None) is getattr(Heads, name) for name in names)
        return own and self._needs_no_weights(ops.ndim(query) + 1, training, scores)

    def _needs_no_weights(self, rank: int, training: bool | None, scores: bool) -> bool:
        """Return whether the op computes the outputs of projected queries of this rank, which gives no weights."""
        return rank == 4 and not scores and not (training and self.dropout > 0)

    def _repeated(self, x: Array) -> Array:
        """Return keys or values repeated for each query head."""
        return x

    def _compute_attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        attention_mask: Array | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> tuple[Array, Array]:
        """Return the heads' outputs, and the attention weights (None if they were not made).

        Layers of other libraries call or override this method, which has this name in Keras.

        Args:
            query: projected queries, `(batch, ..., heads, size)`.
            key: projected keys.
            value: projected values.
            attention_mask: bool `(batch, queries, keys)`.
            training: whether to apply dropout.
            return_attention_scores: whether the weights are needed.

        Raises:
            ValueError: if the weights are needed, and the layer has `flash_attention=True`.
        """
        if self._needs_no_weights(ops.ndim(query), training, return_attention_scores):
            return self._attended_by_op(query, key, value, attention_mask), None
        if return_attention_scores and self._flash_attention:
            raise ValueError(
                f"{self._title()} has `flash_attention=True`, which makes no attention scores that could be "
                "returned. Leave out `return_attention_scores` or `flash_attention`."
            )
        return self._attend(query, key, value, attention_mask, bool(training) and self.dropout > 0)

    def _attended_by_op(self, q: Array, k: Array, v: Array, mask: Array | None, is_causal: bool = False) -> Array:
        """Return the heads' outputs, `(batch, places, heads, value_dim)`."""
        if mask is not None and ops.ndim(mask) != 4:
            mask = self._folded_mask(mask, 1, 4)
        options = {"scale": 1.0 / math.sqrt(ops.shape(q)[-1]), "is_causal": is_causal}
        return ops.dot_product_attention(q, k, v, mask=mask, flash_attention=self._flash_attention, **options)

    def _attend(self, q: Array, k: Array, v: Array, mask: Array | None, dropping: bool) -> tuple[Array, Array]:
        """Return the heads' outputs, `(batch, ..., heads, value_dim)`, and the attention weights."""
        rank = ops.ndim(q)
        axes = self._axes(rank - 1)
        rest = [i for i in range(rank - 2) if i not in axes]
        # (batch, ..., heads, size) becomes (batch and free axes, heads, attended places, size).
        order = [*rest, rank - 2, *axes, rank - 1]
        targets, sources = ([ops.shape(x)[i] for i in axes] for x in (q, k))
        free = [*(ops.shape(q)[i] for i in rest), ops.shape(q)[-2]]

        def folded(x: Array, places: list[int]) -> Any:
            return ops.reshape(ops.transpose(x, order), (*free, math.prod(places), ops.shape(x)[-1]))

        scaled = ops.multiply(folded(q, targets), 1.0 / math.sqrt(ops.shape(q)[-1]))
        scores = ops.matmul(scaled, ops.swapaxes(folded(k, sources), -1, -2))
        if mask is not None:
            scores = ops.where(self._folded_mask(mask, len(axes), len(free) + 2), scores, lowest(scores))
        weights = ops.softmax(scores, axis=-1)
        used = random.dropout(weights, self.dropout, seed=self.seed_generator) if dropping else weights
        output = ops.reshape(ops.matmul(used, folded(v, sources)), (*free, *targets, ops.shape(v)[-1]))
        weights = ops.reshape(weights, (*free, *targets, *sources))
        return ops.transpose(output, [order.index(i) for i in range(rank)]), weights

    def _folded_mask(self, mask: Array | None, count: int, rank: int) -> Any:
        """Return a mask in the axes of the scores, `(batch and free axes, heads, queries, keys)`."""
        shape = ops.shape(mask)
        kept, targets, sources = shape[: -2 * count], shape[-2 * count : -count], shape[-count:]
        if len(shape) < 2 * count:
            raise ValueError(
                f"{self._title()} attends along {count} axes and expects an `attention_mask` of the shape "
                f"(batch, axes of queries, axes of keys); the masks that were received have the shape {shape}."
            )
        kept = kept or (1,)  # one mask for all samples
        return ops.reshape(mask, (*kept, *(1,) * (rank - 2 - len(kept)), math.prod(targets), math.prod(sources)))

    def _compute_attention_mask(
        self,
        query: Array,
        value: Array,
        query_mask: Array | None = None,
        value_mask: Array | None = None,
        key_mask: Array | None = None,
        attention_mask: Array | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Return which query may attend to which key, `(batch, queries, keys)`, or None for all (Keras's name)."""
        parts = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        parts += [ops.expand_dims(ops.cast(mask, "bool"), -2) for mask in (value_mask, key_mask) if mask is not None]
        if use_causal_mask or self.sliding_window:
            axis = self._axes(ops.ndim(query))[0]
            rows, columns = ops.arange(ops.shape(query)[axis]), ops.arange(ops.shape(value)[axis])
            distance = ops.subtract(ops.expand_dims(rows, (0, 2)), ops.expand_dims(columns, (0, 1)))
            if use_causal_mask:
                parts.append(ops.greater_equal(distance, 0))
            if self.sliding_window:
                parts.append(ops.less(ops.abs(distance), self.sliding_window))
        return reduce(ops.logical_and, parts) if parts else None

    def compute_mask(self, inputs: Array, previous_mask: Array | None) -> Array | None:
        """Return the mask of the query."""
        return previous_mask
