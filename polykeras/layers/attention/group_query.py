"""Attention in which groups of query heads share keys and values."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int, rate
from polykeras.common.types import ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.attention.heads import Heads
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options


@LAYERS.register("GroupedQueryAttention")  # the name of the class in Keras, which .h5 files have
class GroupQueryAttention(Heads):
    """Multi-head attention in which each group of query heads shares one head of keys and values.

    Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints",
    2023, https://arxiv.org/abs/2305.13245. With one key-value head it is multi-query attention.

    Args:
        head_dim: the size of a head.
        num_query_heads: the number of query heads.
        num_key_value_heads: the number of key and value heads; it must divide `num_query_heads`.
        dropout: the share of attention weights to drop while training.
        use_bias: whether projections have biases.
        sliding_window: a query attends only to keys at less than this distance; by default to all.
        flash_attention: True never holds all attention weights at once, so that memory grows with the length, not its
            square; it excludes dropout and returned weights. False holds them. None leaves it to the backend, unless
            `config.disable_flash_attention` was called. The result is the same. Files do not keep it.
        kernel_initializer: initializer of the projections' kernels, `(features, heads, size)` and `(heads, size,
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
        ValueError: an argument is out of range, or the heads cannot be divided into groups.

    Example:
        >>> from polykeras import layers
        >>> query, value = layers.Input((8, 16)), layers.Input((4, 16))
        >>> layers.GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(query, value).shape
        (None, 8, 16)
    """

    sample_by_sample = True
    _not_in_config = (*Heads._not_in_config, "flash_attention")
    _name_in_files = "GroupedQueryAttention"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        self.head_dim = positive_int(head_dim, "head_dim", self)
        self.num_query_heads = positive_int(num_query_heads, "num_query_heads", self)
        self.num_key_value_heads = positive_int(num_key_value_heads, "num_key_value_heads", self)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"GroupQueryAttention: `num_query_heads` must be a multiple of `num_key_value_heads`; received "
                f"{num_query_heads} and {num_key_value_heads}."
            )
        self.num_repeats = num_query_heads // num_key_value_heads
        self.dropout = rate(dropout, "dropout", self)
        self._set_flash_attention(flash_attention, self.dropout)
        self.use_bias = use_bias
        self.sliding_window = positive_int(sliding_window, "sliding_window", self) if sliding_window else None
        self.use_gate = use_gate
        keep_options(self, locals(), "kernel", "bias")
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout else None
        self.supports_masking = True

    def build(self, query_shape: InputShape, value_shape: InputShape, key_shape: InputShape | None = None) -> None:
        """Make the projections.

        Args:
            query_shape: `(batch, targets, features)`.
            value_shape: `(batch, sources, features)`.
            key_shape: `(batch, sources, features)`; `value_shape` by default.
        """
        shared = (self.num_key_value_heads, self.head_dim)
        queries, sizes = (self.num_query_heads, self.head_dim), (query_shape[-1],)
        self._make_projections((query_shape, value_shape, key_shape), queries, shared, shared, sizes)

    def _repeated(self, x: Array) -> Array:
        return ops.repeat(x, self.num_repeats, axis=2) if self.num_repeats > 1 else x


GroupedQueryAttention = GroupQueryAttention
