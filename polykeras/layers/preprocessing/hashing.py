"""Layers that map strings and integers to bins, without a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.preprocessing.encoding import MODES, encode_tokens, encoded_shape, refuse_sparse
from polykeras.layers.preprocessing.encoding import output_mode as one_of_modes
from polykeras.layers.preprocessing.hashes import bins, crossed
from polykeras.layers.preprocessing.host import Tokens, as_bytes, run_on_host


def _key(value: Any) -> bytes:
    """Return a value as bytes: numbers become decimal text, floats lose their fraction."""
    return as_bytes(value) if isinstance(value, (str, bytes)) else str(int(value)).encode()


@LAYERS.register()
class Hashing(Layer):
    """Maps strings and integers to a fixed number of bins with a hash function. The bins are the same as in Keras.

    Args:
        num_bins: the number of bins, including the one of `mask_value`.
        mask_value: a value that alone gets bin 0.
        salt: one or two integers, the key for SipHash; None for FarmHash.
        output_mode: `"int"` returns the number of the bin. `"one_hot"` returns a one-hot row for each value.
            `"multi_hot"` returns a row for each sample, with a one for each bin along the last axis. `"count"` returns
            how often each bin occurs.
        sparse: kept for Keras code; must be False.
        **kwargs: further arguments of `Layer`; `dtype` is int64 by default for `"int"`.

    Raises:
        ValueError: an argument is invalid.

    Example:
        >>> from polykeras import layers
        >>> layers.Hashing(3)([["A"], ["B"], ["C"]]).tolist()
        [[1], [0], [1]]
    """

    sample_by_sample = True
    _convert_input_args = False

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        self.output_mode = one_of_modes(output_mode, MODES, "Hashing")
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if self.output_mode == "int" else config.floatx()
        super().__init__(**kwargs)
        if self.output_mode == "int" and self.compute_dtype not in ("int32", "int64"):
            raise ValueError(
                f"Hashing: `dtype` must be int32 or int64 for output_mode='int'; received {kwargs['dtype']}."
            )
        self.num_bins = positive_int(num_bins, "num_bins", self)
        self.mask_value = mask_value
        self.sparse = refuse_sparse(sparse, "Hashing")
        self.salt = [salt, salt] if isinstance(salt, int) else None if salt is None else list(salt)
        if self.salt is not None and len(self.salt) != 2:
            raise ValueError(f"Hashing: `salt` must be an int or two; received {salt}.")
        self.built = True

    def call(self, inputs: ArrayLike) -> Array:
        """Return the bins of the inputs, as `output_mode` says."""
        return run_on_host(self._hashed, [inputs], self._spec)

    def _spec(self, shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], str]:
        return encoded_shape(shape, self.output_mode, self.num_bins), self.compute_dtype

    def _hashed(self, data: Any) -> np.ndarray:
        tokens = Tokens.of(data)
        keys = [_key(value) for value in tokens.values]
        if self.mask_value is None or self.num_bins == 1:
            found = bins(keys, self.num_bins, self.salt)
        else:
            mask = _key(self.mask_value)
            found = bins(keys, self.num_bins - 1, self.salt) + 1
            found[[key == mask for key in keys]] = 0
        dtype = self.compute_dtype
        return encode_tokens(tokens, found, self.output_mode, self.num_bins, dtype).astype(dtypes.numpy_dtype(dtype))


@LAYERS.register()
class HashedCrossing(Layer):
    """Maps combinations of features to a fixed number of bins with a hash function. The bins are the same as in Keras.

    Args:
        num_bins: the number of bins.
        output_mode: `"int"` or `"one_hot"`; see `Hashing`.
        sparse: kept for Keras code; must be False.
        name: the name of the layer.
        dtype: the dtype of the output; int64 by default for `"int"`.
        **kwargs: kept for Keras code; not used.

    Raises:
        ValueError: an argument is invalid.

    Example:
        >>> from polykeras import layers
        >>> layers.HashedCrossing(5)((["A", "B", "A"], [101, 101, 102])).tolist()
        [1, 4, 3]
    """

    sample_by_sample = True
    _convert_input_args = False
    _not_in_config = (*Layer._not_in_config, "activity_regularizer", "trainable")

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: DTypeLike = None,
        **kwargs: Any,
    ) -> None:
        self.output_mode = one_of_modes(output_mode, MODES[:2], "HashedCrossing")
        super().__init__(name=name, dtype="int64" if self.output_mode == "int" and dtype is None else dtype)
        self.num_bins = positive_int(num_bins, "num_bins", self)
        self.sparse = refuse_sparse(sparse, "HashedCrossing")
        self.built = True

    def call(self, inputs: ArrayLike) -> Array:
        """Return the bins of the combinations.

        Args:
            inputs: a list of two or more arrays of strings or integers, all of one shape: `()`, `(batch,)` or `(batch,
                1)`.

        Raises:
            ValueError: the inputs have another form.
        """
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"HashedCrossing takes a list of two or more inputs; received {inputs!r}.")
        return run_on_host(self._crossed, list(inputs), self._spec)

    def _spec(self, *shapes: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], str]:
        return encoded_shape(shapes[0], self.output_mode, self.num_bins), self.compute_dtype

    def _crossed(self, *columns: Any) -> np.ndarray:
        found = [Tokens.of(column) for column in columns]
        shape = found[0].shape
        if len(shape) > 2 or shape[1:] not in ((), (1,)) or any(tokens.shape != shape for tokens in found):
            raise ValueError(
                f"{self._title()}: the inputs must all have one shape, (), (batch,) or (batch, 1); received "
                f"{', '.join(str(tokens.shape) for tokens in found)}."
            )
        values = [[v if isinstance(v, int) else as_bytes(v) for v in tokens.values] for tokens in found]
        made = encode_tokens(found[0], crossed(values, self.num_bins), self.output_mode, self.num_bins, "int64")
        return made.astype(dtypes.numpy_dtype(self.compute_dtype))
