"""An embedding that can also map vectors back to scores of words."""

from __future__ import annotations

from typing import Any, ClassVar

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.context import set_mask
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.core.embedding import Embedding
from polykeras.layers.quantized.layout import Layout, of_matrix


@LAYERS.register()
class ReversibleEmbedding(Embedding):
    """An `Embedding` that can also be called on vectors, with `reverse=True`, and then returns a score for each word.

    Source: Press and Wolf, "Using the Output Embedding to Improve Language Models", 2017,
    https://arxiv.org/abs/1608.05859.

    Args:
        input_dim: the number of words.
        output_dim: the size of a vector.
        tie_weights: whether the reverse direction uses the same table; if not, it has a kernel of its own.
        embeddings_initializer: initializer of the table `(input_dim, output_dim)`, and of the reverse kernel
            `(output_dim, input_dim)`.
        embeddings_regularizer: penalty on the table.
        embeddings_constraint: constraint applied to the table after each update.
        mask_zero: whether 0 means a missing element, which a mask tells later layers.
        reverse_dtype: the dtype of the reverse computation; by default that of its arguments.
        logit_soft_cap: if given, scores are limited smoothly to this size, by `cap * tanh(scores / cap)`.
        **kwargs: further arguments of `Embedding`.

    Raises:
        ValueError: an argument is invalid; see `Embedding`.

    Example:
        >>> from polykeras import layers
        >>> words = layers.ReversibleEmbedding(1000, 64)
        >>> words(words(layers.Input((10,), dtype="int32")), reverse=True).shape
        (None, 10, 1000)
    """

    sample_by_sample = True
    _default_activation_quantizers: ClassVar[tuple[str, ...]] = ("int8", "int4")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        reverse_dtype: str | None = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: InputShape | None = None) -> None:
        """Make the table, and the reverse kernel if there is one."""
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: Array, reverse: bool = False) -> Array:
        """Return vectors for indices, or scores for vectors.

        Args:
            inputs: integers `(...)`, or vectors `(..., output_dim)` if `reverse`.
            reverse: whether to map vectors to scores.

        Returns:
            Vectors `(..., output_dim)`, or scores `(..., input_dim)`.
        """
        if not reverse:
            outputs = super().call(inputs)
            if self.mask_zero:
                set_mask(outputs, ops.not_equal(inputs, 0))
            return outputs
        scores = self._product(self._scores, inputs, "embeddings" if self.tie_weights else "reverse_embeddings")
        cap = self.logit_soft_cap
        return scores if cap is None else ops.multiply(ops.tanh(ops.divide(scores, cap)), cap)

    def _scores(self, inputs: Array, kernel: Array) -> Array:
        kernel = ops.transpose(kernel) if self.tie_weights else kernel
        if self.reverse_dtype is not None:
            inputs, kernel = ops.cast(inputs, self.reverse_dtype), ops.cast(kernel, self.reverse_dtype)
        return ops.matmul(inputs, kernel)

    def _layouts(self) -> list[Layout]:
        more = [of_matrix("reverse_embeddings", (self.output_dim, self.input_dim), packed_axis=0, index=None)]
        return super()._layouts() + ([] if self.tie_weights else more)

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array | None:
        """Return None, because `call` sets the mask of vectors, and scores have none."""
        return None
