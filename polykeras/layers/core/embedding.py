"""Embedding and Masking: layers for class numbers, words and missing steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.low_rank import AdaptedWeight
from polykeras.layers.base.quantizable import Quantizable
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.quantized.layout import Layout, of_matrix
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


@LAYERS.register()
class Embedding(Quantizable):
    """Maps each class number or word to a learned vector.

    An index outside the table is an error where its value is known: in a call on arrays; in `fit`, `evaluate` and
    `predict` of a `Sequential` or functional model whose input goes straight to this layer; and always on NumPy. Other
    compiled code does not look at values, and there frameworks differ: a negative index counts from the end; one beyond
    the end gives nan on JAX, zeros on TensorFlow with a GPU, and an error of the framework elsewhere.

    Args:
        input_dim: the number of vectors; inputs are whole numbers from 0 to `input_dim - 1`.
        output_dim: the size of a vector.
        embeddings_initializer: initializer of the table `(input_dim, output_dim)`.
        embeddings_regularizer: penalty on the table.
        embeddings_constraint: constraint applied to the table after each update.
        mask_zero: whether 0 means a missing element, which a mask tells later layers.
        weights: an array with the initial table, or a list that holds it.
        lora_rank: the rank for LoRA, if it should be used; see `enable_lora`.
        lora_alpha: the scale for LoRA; see `enable_lora`.
        quantization_config: how to quantize, if the dtype policy is a quantized one; see `quantize`.
        **kwargs: further arguments of `Layer`; Keras 2's `input_length` is the length of a sequence.

    Raises:
        ValueError: `input_dim` or `output_dim` is not a positive int; or, in a call, an index is outside the table.

    Example:
        >>> from polykeras import layers
        >>> layers.Embedding(1000, 64)(layers.Input((10,), dtype="int32")).shape
        (None, 10, 64)
    """

    sample_by_sample = True
    takes_integers = True
    embeddings = AdaptedWeight()
    _adaptable = "embeddings"
    lora_embeddings_a: Variable
    lora_embeddings_b: Variable
    _modes: ClassVar[tuple[str, ...]] = ("int8", "int4")
    _not_in_config = (*Quantizable._not_in_config, "weights")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        **kwargs: Any,
    ) -> None:
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (length,)
        if weights is not None:
            kwargs["weights"] = weights if isinstance(weights, (list, tuple)) else [weights]
        super().__init__(lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config, **kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        keep_options(self, locals(), "embeddings")
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self._makes_masks = mask_zero
        self.autocast = False

    def build(self, input_shape: InputShape | None = None) -> None:
        """Make the table."""
        self.embeddings = make_weight(self, "embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Array) -> Array:
        """Return the vectors, `(..., output_dim)`, of integers `(...)`."""
        backend = registry.current()
        if not backend.is_traced(inputs):
            self._check_on_host(backend.to_numpy(inputs))
        if not dtypes.is_int(ops.dtype(inputs)):
            inputs = ops.cast(inputs, "int32")
        return self._rows(inputs, "embeddings")

    def _layouts(self) -> list[Layout]:
        return [of_matrix("embeddings", (self.input_dim, self.output_dim), axis=1)]

    def _input_check(self) -> Callable[[np.ndarray], None]:
        return self._check_on_host

    def _check_on_host(self, indices: np.ndarray) -> None:
        indices = np.asarray(indices)
        if indices.dtype.kind in "iu":  # negative numbers are large ones without a sign: one look at all is enough
            unsigned = indices.view(f"u{indices.itemsize}")
            if np.maximum.reduce(unsigned, axis=None, initial=0) < self.input_dim:
                return
        cut = np.trunc(indices)
        inside = (cut >= 0) & (cut < self.input_dim)
        if not inside.all():
            raise ValueError(
                f"{self._title()}: expected whole numbers from 0 to {self.input_dim - 1} (input_dim={self.input_dim}); "
                f"received the index {indices[~inside][0]} at {np.argwhere(~inside)[0].tolist()}. Increase "
                "`input_dim`, or correct the data."
            )
        if not np.array_equal(cut, indices):
            warnings.warn(
                f"{self._title()}: expected whole numbers; received the index {indices[cut != indices][0]}, which is "
                "cut to a whole number.",
                stacklevel=2,
            )

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array | None:
        """Return a bool mask that is True where the inputs are not 0, if `mask_zero` is set; otherwise None.

        Args:
            inputs: integers of any shape.
            mask: not used.
        """
        return ops.not_equal(inputs, 0) if self.mask_zero else None


@LAYERS.register()
class Masking(Layer):
    """Masks the time steps at which all features have a given value, so that later layers skip them.

    Args:
        mask_value: the value that marks a time step to skip.
        **kwargs: further arguments of `Layer`.
    """

    _built_at_init = True
    sample_by_sample = True
    _makes_masks = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the inputs `(batch, time, features)`, with zeros at masked steps."""
        return ops.where(ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True), inputs, 0)

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array | None:
        """Return a bool mask `(batch, time)` that is True where any feature differs from the value.

        Args:
            inputs: shape `(batch, time, features)`.
            mask: not used, because the layer makes a new mask.
        """
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)
