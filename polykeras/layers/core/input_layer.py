"""The input layer, where a functional graph begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.common.types import DTypeLike
from polykeras.graph import KerasTensor, Node
from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class InputLayer(Layer):
    """The layer behind `Input`: it holds the symbolic tensor, and returns its input.

    Args:
        shape: the shape of one sample, without the batch axis; None for unknown sizes.
        batch_size: the batch size if it is fixed, or None.
        dtype: the dtype of the input; by default the configured float dtype.
        sparse: must be False, because sparse inputs are not supported; kept for Keras code.
        ragged: must be False, like `sparse`.
        batch_shape: the shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: a symbolic tensor to use instead of a new one.
        optional: whether None may be passed as the input.
        name: the name of the layer and its input.
        **legacy_names: `input_shape` and `batch_input_shape`, legacy names of `shape` and `batch_shape`.

    Raises:
        ValueError: sizes are not ints; both or neither of `shape` and `batch_shape` are given; `sparse` or `ragged` is
            set.
    """

    sample_by_sample = True

    def __init__(
        self,
        shape: Sequence[int | None] | int | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **legacy_names: Any,
    ) -> None:
        shape = legacy_names.pop("input_shape", shape)  # Keras 2's name
        batch_shape = legacy_names.pop("batch_input_shape", batch_shape)
        super().__init__(name=name, **legacy_names)
        if sparse or ragged:
            raise ValueError("Sparse and ragged inputs are not supported; pass dense arrays.")
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "Input needs either `shape` (of one sample) or `batch_shape`; received "
                f"shape={shape}, batch_shape={batch_shape}."
            )
        if shape is not None:
            sizes = (shape,) if isinstance(shape, int) else tuple(shape)
            batch_shape = (batch_size, *sizes)
        assert batch_shape is not None
        for n in batch_shape:
            if n is not None and (not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0):
                raise ValueError(f"Input sizes must be ints or None; received {n!r} in {tuple(batch_shape)}.")
        self.batch_shape = tuple(None if n is None else int(n) for n in batch_shape)
        self._given_dtype = dtypes.standardize_dtype(dtype)
        self.optional = optional
        self.autocast = False
        self.built = True
        if input_tensor is None:
            input_tensor = KerasTensor(self.batch_shape, self._given_dtype, name=self.name)
        Node(self, (), {}, input_tensor)

    @property
    def dtype(self) -> str:
        """The dtype of the input."""
        return self._given_dtype

    input_dtype = dtype
    sparse = ragged = False

    def call(self, inputs: Any) -> Any:
        """Return the inputs unchanged."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return the shape, dtype and name."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._given_dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Sequence[int | None] | int | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """Return a symbolic tensor, the start of a functional model.

    The arguments are those of `InputLayer`.

    Example:
        >>> from polykeras import layers
        >>> x = layers.Input(shape=(784,))
        >>> layers.Dense(10)(x).shape
        (None, 10)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output
