"""Where a functional graph begins."""

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
    """The layer behind `Input`: it holds the symbolic tensor and passes its input through.

    Args:
        shape: of one sample, without the batch axis; None for unknown sizes.
        batch_size: a fixed batch size, or None.
        dtype: of the input; the default float dtype where None.
        sparse: sparse inputs are not supported; kept for Keras code, must be false.
        ragged: as `sparse`.
        batch_shape: instead of `shape` and `batch_size`.
        input_tensor: a symbolic tensor to use, instead of a new one.
        optional: whether None may be passed.
        name: of the layer and its input.
        **legacy_names: `input_shape` and `batch_input_shape`, in place of `shape` and `batch_shape`.

    Raises:
        ValueError: sizes that are no ints, or not exactly one of `shape` and `batch_shape`; `sparse` or `ragged` is
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
        shape = legacy_names.pop("input_shape", shape)  # as Keras 2 called them
        batch_shape = legacy_names.pop("batch_input_shape", batch_shape)
        super().__init__(name=name, **legacy_names)
        if sparse or ragged:
            raise ValueError("Sparse and ragged inputs are not supported; pass dense arrays.")
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "Input needs `shape` (of one sample) or `batch_shape`, one of them; received "
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
        output = input_tensor or KerasTensor(self.batch_shape, self._given_dtype, name=self.name)
        Node(self, (), {}, output)

    @property
    def dtype(self) -> str:
        """The dtype of the input."""
        return self._given_dtype

    input_dtype = dtype
    sparse = ragged = False

    def call(self, inputs: Any) -> Any:
        """Return the inputs as they are."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return shape, dtype and name."""
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
    """Return a symbolic tensor to begin a functional model with.

    Arguments as for `InputLayer`.

    Example:
        >>> from polykeras import layers
        >>> x = layers.Input(shape=(784,))
        >>> layers.Dense(10)(x).shape
        (None, 10)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output
