"""Multi-head attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import random
from polykeras.common.arguments import positive_int, rate
from polykeras.common.types import ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.attention.heads import Heads
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options
from polykeras.layers.core.einsum_dense import EinsumDense


class _AlsoCalled:
    """Another name of an attribute; an instance may override it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer, self.name)


@LAYERS.register()
class MultiHeadAttention(Heads):
    """Multi-head attention of queries to keys and values.

    Source: Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762.

    Args:
        num_heads: the number of heads.
        key_dim: the size of each head's queries and keys.
        value_dim: the size of each head's values; `key_dim` by default.
        dropout: the share of attention weights to drop while training.
        use_bias: whether projections have biases.
        output_shape: the size(s) of the output's last axis or axes; by default the size of the query's last axis.
        attention_axes: the axes along which attention runs; by default all except the batch and feature axes.
        sliding_window: a query attends only to keys at less than this distance; by default to all.
        flash_attention: True never holds all attention weights at once, so that memory grows with the length, not its
            square; it excludes dropout and returned weights. False holds them. None leaves it to the backend, unless
            `config.disable_flash_attention` was called. The result is the same. Files do not keep it.
        kernel_initializer: initializer of the projections' kernels, `(features, heads, size)` and `(heads, value_dim,
            features)`.
        bias_initializer: initializer of their biases.
        kernel_regularizer: penalty on the kernels.
        bias_regularizer: penalty on the biases.
        activity_regularizer: penalty on the projections of query, key and value, and on the output.
        kernel_constraint: constraint applied to the kernels after each update.
        bias_constraint: constraint applied to the biases after each update.
        use_gate: whether to multiply the heads' outputs by `sigmoid` of a projection of the query.
        seed: an int that gives the dropout a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> from polykeras import layers
        >>> query, value = layers.Input((8, 16)), layers.Input((4, 16))
        >>> layers.MultiHeadAttention(num_heads=2, key_dim=2)(query, value).shape
        (None, 8, 16)
    """

    sample_by_sample = True
    _not_in_config = (*Heads._not_in_config, "flash_attention", "output_shape")

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
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = positive_int(num_heads, "num_heads", self)
        self.key_dim = positive_int(key_dim, "key_dim", self)
        self.value_dim = positive_int(value_dim, "value_dim", self) if value_dim else self.key_dim
        self.dropout = rate(dropout, "dropout", self)
        self._set_flash_attention(flash_attention, self.dropout)
        self.use_bias = use_bias
        sizes = (output_shape,) if isinstance(output_shape, int) else output_shape
        self._output_sizes = tuple(sizes) if sizes else None
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.sliding_window = positive_int(sliding_window, "sliding_window", self) if sliding_window else None
        self.use_gate = use_gate
        keep_options(self, locals(), "kernel", "bias")
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def build(self, query_shape: InputShape, value_shape: InputShape, key_shape: InputShape | None = None) -> None:
        """Make the projections.

        Args:
            query_shape: `(batch, *targets, features)`.
            value_shape: `(batch, *sources, features)`.
            key_shape: `(batch, *sources, features)`; `value_shape` by default.
        """
        queries, values = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        sizes = self._output_sizes or (query_shape[-1],)
        self._make_projections((query_shape, value_shape, key_shape), queries, queries, values, sizes)

    @property
    def query_dense(self) -> EinsumDense:
        """The projection of the queries."""
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense:
        """The projection of the keys."""
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense:
        """The projection of the values."""
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense:
        """The projection of the heads' outputs."""
        return self._output_dense

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return super().get_config() | {"output_shape": self._output_sizes}


# Keras's private names, which subclasses in other libraries read.
for _name in (
    *("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "use_gate", "attention_axes", "sliding_window"),
    *(f"{prefix}_{kind}" for prefix in ("kernel", "bias") for kind in ("initializer", "regularizer", "constraint")),
    "activity_regularizer",
):
    setattr(MultiHeadAttention, f"_{_name}", _AlsoCalled(_name))
MultiHeadAttention._output_shape = _AlsoCalled("_output_sizes")  # type: ignore[attr-defined]
