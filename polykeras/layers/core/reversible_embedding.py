"""An embedding that also leads back, from vectors to scores of words."""

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
    """An `Embedding` that is also called on vectors, with `reverse=True`: it then gives a score for each word.

    Source: Press and Wolf, "Using the Output Embedding to Improve Language Models", 2017,
    https://arxiv.org/abs/1608.05859.

    Args:
        input_dim: how many words there are.
        output_dim: size of a vector.
        tie_weights: whether the way back uses the same table; else it has a kernel of its own.
        embeddings_initializer: of the table `(input_dim, output_dim)`, and of the kernel `(output_dim, input_dim)`.
        embeddings_regularizer: penalty on the table.
        embeddings_constraint: applied to the table after each update.
        mask_zero: whether 0 means "nothing here", which later layers are told by a mask.
        reverse_dtype: in which the way back is computed; that of its arguments by default.
        logit_soft_cap: scores are bent by `cap * tanh(scores / cap)` to stay within it; not by default.
        **kwargs: as for `Embedding`.

    Raises:
        ValueError: as `Embedding`.

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
        """Make the table, and the kernel of the way back where it has one."""
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: Array, reverse: bool = False) -> Array:
        """Return vectors or scores.

        Args:
            inputs: integers `(...)`, or vectors `(..., output_dim)` on the way back.
            reverse: whether to go back.

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
        """Return None: `call` gives vectors their mask, and scores have none."""
        return None
