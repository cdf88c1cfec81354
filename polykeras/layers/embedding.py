"""Layers for class numbers, words and missing steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import constraints, dtypes, initializers, ops, regularizers
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import positive_int


@LAYERS.register()
class Embedding(Layer):
    """A learned vector for each of a number of classes or words.

    Args:
        input_dim: how many there are; inputs are integers from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        embeddings_initializer: of the table `(input_dim, output_dim)`.
        embeddings_regularizer: penalty on the table.
        embeddings_constraint: applied to the table after each update.
        mask_zero: whether 0 means "nothing here", which later layers are told by a mask.
        weights: an array to begin with, or a list of one.
        **kwargs: as for `Layer`; Keras 2's `input_length` is the length of a sequence.
    """

    takes_integers = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (length,)
        if weights is not None:
            kwargs["weights"] = weights if isinstance(weights, (list, tuple)) else [weights]
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self._makes_masks = mask_zero
        self.autocast = False

    def build(self, input_shape: Any = None) -> None:
        """Make the table."""
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    def call(self, inputs: Any) -> Any:
        """Return the vectors, `(..., output_dim)`, of integers `(...)`."""
        if not dtypes.is_int(ops.dtype(inputs)):
            inputs = ops.cast(inputs, "int32")
        return ops.take(self.embeddings, inputs, axis=0)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where the inputs are not 0, with `mask_zero`."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config.pop("weights", None)
        return config


@LAYERS.register()
class Masking(Layer):
    """Tells later layers to skip the times at which all features have one value.

    Args:
        mask_value: that value.
        **kwargs: as for `Layer`.
    """

    _makes_masks = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs `(batch, time, features)`, zeros at the times to skip."""
        keep = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * ops.cast(keep, ops.dtype(inputs))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where any feature differs from the value."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)


@LAYERS.register()
class Lambda(Layer):
    """A function as a layer.

    For anything with weights, or that shall be saved, write a `Layer` instead.

    Args:
        function: takes the inputs, and `mask` or `training` where it has such arguments.
        output_shape: of the outputs without the batch axis; not needed, shapes are found by running the function.
        mask: the mask of the outputs, or a function of inputs and mask that gives it.
        arguments: further keyword arguments of the function.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"Lambda takes a function; received {function!r}.")
        self.function = function
        self.output_shape_argument = output_shape
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        names = getattr(getattr(function, "__code__", None), "co_varnames", ())
        count = getattr(getattr(function, "__code__", None), "co_argcount", 0)
        self._takes = {name for name in names[:count] if name in ("mask", "training")}

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        """Return what the function gives."""
        extra = {name: value for name, value in (("mask", mask), ("training", training)) if name in self._takes}
        return self.function(inputs, **self.arguments, **extra)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask that was given."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """Raise: a function cannot be described unless it is registered."""
        config = super().get_config()
        config["output_shape"] = self.output_shape_argument
        return config
