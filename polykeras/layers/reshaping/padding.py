"""Padding and cropping of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.axes import is_below
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple, python_numbers
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.convolution.base import Spatial


def _pairs(value: Any, rank: int, name: str, owner: Layer) -> tuple[tuple[int, int], ...]:
    """Return `(before, after)` for each axis, from one int, or for each axis an int or a pair."""
    given = python_numbers(value)
    values = (given,) * rank if isinstance(given, int) else given
    if rank == 1 and isinstance(values, (list, tuple)) and all(isinstance(v, int) for v in values) and len(values) == 2:
        values = (values,)
    if isinstance(values, (list, tuple)) and len(values) == rank:
        pairs = [int_tuple(v, 2, name, owner, minimum=0) for v in values]
        return tuple((before, after) for before, after in pairs)
    raise ValueError(
        f"{type(owner).__name__}: `{name}` must be an int, or for each axis an int or a pair `(before, after)`; "
        f"received {value!r}."
    )


class _ZeroPadding(Spatial):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        pairs = _pairs(padding, self.rank, "padding", self)
        self.padding = pairs[0] if self.rank == 1 else pairs

    def call(self, inputs: Array) -> Array:
        """Return the inputs, padded with zeros."""
        widths: list[Any] = [(0, 0)] * (self.rank + 2)
        widths[self._space[0] : self._space[0] + self.rank] = [self.padding] if self.rank == 1 else self.padding
        return ops.pad(inputs, widths)


@LAYERS.register()
class ZeroPadding1D(_ZeroPadding):
    """Pads sequences `(batch, time, channels)` with zeros.

    Args:
        padding: the number of zeros at both ends, or a pair `(before, after)`.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `padding` is negative, or has another form.
    """

    sample_by_sample = True


@LAYERS.register()
class ZeroPadding2D(_ZeroPadding):
    """Pads images `(batch, height, width, channels)` with zeros.

    Args:
        padding: the number of zeros: one for all sides, one for height and one for width, or a pair `(before, after)`
            for each.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `padding` is negative, or has another form.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register()
class ZeroPadding3D(_ZeroPadding):
    """Pads volumes `(batch, *space, channels)` of three spatial axes with zeros; arguments as for `ZeroPadding2D`."""

    sample_by_sample = True
    rank = 3


class _Cropping(Spatial):
    cropping: Any

    def call(self, inputs: Array) -> Array:
        """Return the cropped inputs.

        Raises:
            ValueError: nothing is left of an axis.
        """
        pairs = [self.cropping] if self.rank == 1 else self.cropping
        shape = ops.shape(inputs)
        index: list[Any] = [slice(None)] * len(shape)
        for axis, (before, after) in zip(self._space, pairs, strict=True):
            if is_below(shape[axis], before + after + 1):
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}): cropping {before} + {after} leaves nothing of axis "
                    f"{axis}, which has size {shape[axis]}."
                )
            index[axis] = slice(before, shape[axis] - after)
        return inputs[tuple(index)]


@LAYERS.register()
class Cropping1D(_Cropping):
    """Crops sequences `(batch, time, channels)`.

    Args:
        cropping: the number of time steps to drop at both ends, or a pair `(at the beginning, at the end)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `cropping` is negative, or has another form.
    """

    sample_by_sample = True
    _not_in_config = (*Layer._not_in_config, "data_format")

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__("channels_last", **kwargs)
        self.cropping = _pairs(cropping, 1, "cropping", self)[0]


@LAYERS.register()
class Cropping2D(_Cropping):
    """Crops images `(batch, height, width, channels)`.

    Args:
        cropping: how much to drop: one number for all sides, one for height and one for width, or a pair `(before,
            after)` for each.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `cropping` is negative, or has another form.
    """

    sample_by_sample = True
    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = _pairs(cropping, 2, "cropping", self)


@LAYERS.register()
class Cropping3D(_Cropping):
    """Crops volumes `(batch, *space, channels)` along three spatial axes.

    Args:
        cropping: how much to drop: one number for all sides, one for each axis, or a pair `(before, after)` for each
            axis.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, *space)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `cropping` is negative, or has another form.
    """

    sample_by_sample = True
    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = _pairs(cropping, 3, "cropping", self)
