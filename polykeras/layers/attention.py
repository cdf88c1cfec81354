"""Attention."""

from __future__ import annotations

from typing import Any

from polykeras import constraints, initializers, ops, random, regularizers
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import positive_int, rate


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
        output_shape: size(s) of the output's last axis or axes; those of the query by default.
        attention_axes: axes along which attention is computed, batch and features left out; all of them by default.
        flash_attention: accepted for Keras code.
        kernel_initializer: of the projections' kernels.
        bias_initializer: of their biases.
        kernel_regularizer: penalty on the kernels.
        bias_regularizer: penalty on the biases.
        activity_regularizer: penalty on the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        seed: for dropout.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = positive_int(num_heads, "num_heads", self)
        self.key_dim = positive_int(key_dim, "key_dim", self)
        self.value_dim = self.key_dim if value_dim is None else positive_int(value_dim, "value_dim", self)
        self.dropout = rate(dropout, "dropout", self)
        self.use_bias = use_bias
        self._output_size = output_shape
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.flash_attention = flash_attention
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def _projection(self, name: str, inner: tuple[int, ...], outer: tuple[int, ...]) -> tuple[Any, Any]:
        kernel = self.add_weight(
            shape=(*inner, *outer),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name=f"{name}_kernel",
        )
        if not self.use_bias:
            return kernel, None
        bias = self.add_weight(
            shape=outer,
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            name=f"{name}_bias",
        )
        return kernel, bias

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Make the four projections."""
        key_shape = value_shape if key_shape is None else key_shape
        heads = self.num_heads
        self.query_projection = self._projection("query", (query_shape[-1],), (heads, self.key_dim))
        self.key_projection = self._projection("key", (key_shape[-1],), (heads, self.key_dim))
        self.value_projection = self._projection("value", (value_shape[-1],), (heads, self.value_dim))
        size = self._output_size
        out = (query_shape[-1],) if size is None else (size,) if isinstance(size, int) else tuple(size)
        self.output_projection = self._projection("output", (heads, self.value_dim), out)

    @staticmethod
    def _project(x: Any, projection: tuple[Any, Any], axes: int) -> Any:
        """Return the product over the last `axes` axes of `x`, plus the bias."""
        kernel, bias = projection
        x = ops.tensordot(x, kernel, axes=axes)
        return x if bias is None else ops.add(x, bias)

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
        """Return the output, and the attention weights where `return_attention_scores`.

        Args:
            query: `(batch, ..., features)`; attention runs along the axes between.
            value: `(batch, ..., features)`.
            key: as `value`, which it is by default.
            query_mask: bool, which queries are there.
            value_mask: bool, which values are there.
            key_mask: bool, which keys are there.
            attention_mask: bool `(batch, queries, keys)`, which query may see which key.
            return_attention_scores: see above.
            training: whether dropout is applied.
            use_causal_mask: no query sees a later key.
        """
        key = value if key is None else key
        q = self._project(query, self.query_projection, 1)
        k = self._project(key, self.key_projection, 1)
        v = self._project(value, self.value_projection, 1)
        mask = self._mask(query, key, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        output, weights = self._attend(q, k, v, mask, training)
        output = self._project(output, self.output_projection, 2)
        return (output, weights) if return_attention_scores else output

    def _attend(self, q: Any, k: Any, v: Any, mask: Any, training: Any) -> tuple[Any, Any]:
        rank = len(ops.shape(q))
        axes = tuple(self.attention_axes) if self.attention_axes else tuple(range(1, rank - 2))
        rest = tuple(i for i in range(rank - 2) if i not in axes)
        # Bring (batch, ..., heads, size) into (batch and free axes, heads, attended places, size).
        order = (*rest, rank - 2, *axes, rank - 1)
        q_shape = ops.shape(q)
        free = [q_shape[i] for i in rest]
        q, k, v = (self._fold(x, order, free) for x in (q, k, v))
        scores = ops.matmul(q * (1.0 / self.key_dim**0.5), ops.swapaxes(k, -1, -2))
        if mask is not None:
            while len(ops.shape(mask)) < len(ops.shape(scores)):
                mask = ops.expand_dims(mask, -3)
            low = -3e4 if ops.dtype(scores) == "float16" else -1e9
            scores = ops.where(mask, scores, low)
        weights = ops.softmax(scores, axis=-1)
        dropped = weights
        if training and self.dropout:
            dropped = random.dropout(weights, self.dropout, seed=self.seed_generator)
        output = ops.matmul(dropped, v)
        places = [q_shape[i] for i in axes]
        output = ops.reshape(output, (*free, self.num_heads, *places, self.value_dim))
        back = [order.index(i) for i in range(rank)]
        return ops.transpose(output, back), weights

    @staticmethod
    def _fold(x: Any, order: tuple[int, ...], free: list[int]) -> Any:
        x = ops.transpose(x, order)
        shape = ops.shape(x)
        places = 1
        for n in shape[len(free) + 1 : -1]:
            places *= n
        return ops.reshape(x, (*free, shape[len(free)], places, shape[-1]))

    def _mask(
        self, query: Any, key: Any, query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, causal: bool
    ) -> Any:
        """Return which query may see which key, `(batch, queries, keys)`, or None."""
        parts = []
        if query_mask is not None:
            parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        for mask in (value_mask, key_mask):
            if mask is not None:
                parts.append(ops.expand_dims(ops.cast(mask, "bool"), -2))
        if causal:
            n, m = ops.shape(query)[1], ops.shape(key)[1]
            rows, columns = ops.reshape(ops.arange(n), (1, n, 1)), ops.reshape(ops.arange(m), (1, 1, m))
            parts.append(ops.greater_equal(rows, columns))
        if attention_mask is not None:
            parts.append(ops.cast(attention_mask, "bool"))
        combined = None
        for part in parts:
            combined = part if combined is None else ops.logical_and(combined, part)
        return combined

    def compute_mask(self, query: Any, previous_mask: Any) -> Any:
        """Return the mask of the query."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return super().get_config() | {"output_shape": self._output_size}
