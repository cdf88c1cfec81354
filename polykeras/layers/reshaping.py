"""Layers that move elements about: flatten, reshape, permute, repeat, pad, crop, enlarge."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from polykeras import config, ops
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import int_tuple, positive_int


@LAYERS.register()
class Flatten(Layer):
    """All axes but the first in one.

    Args:
        data_format: with `"channels_first"` the channels are moved last before.
        **kwargs: as for `Layer`.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        """Return `(batch, features)`."""
        shape = ops.shape(inputs)
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (shape[0], prod(shape[1:])))


@LAYERS.register()
class Reshape(Layer):
    """The elements of each sample in another shape.

    Args:
        target_shape: without the batch axis; one size may be -1.
        **kwargs: as for `Layer`.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if sum(n == -1 for n in self.target_shape) > 1:
            raise ValueError(f"Reshape: at most one size may be -1; received {self.target_shape}.")

    def call(self, inputs: Any) -> Any:
        """Return `(batch, *target_shape)`."""
        shape = ops.shape(inputs)
        total, known = prod(shape[1:]), prod(n for n in self.target_shape if n != -1)
        if (total % known if -1 in self.target_shape else total - known) != 0:
            raise ValueError(
                f"Layer {self.name!r} (Reshape): the {total} elements of a sample of shape {tuple(shape[1:])} do not fit "
                f"{self.target_shape}."
            )
        return ops.reshape(inputs, (shape[0], *(total // known if n == -1 else n for n in self.target_shape)))


@LAYERS.register()
class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the order, counted from 1 without the batch axis: `(2, 1)` exchanges the first two.
        **kwargs: as for `Layer`.
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: `dims` must hold each of 1 to {len(self.dims)} once; received {self.dims}.")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """Return the inputs with their axes reordered."""
        return ops.transpose(inputs, (0, *self.dims))


@LAYERS.register()
class RepeatVector(Layer):
    """`(batch, features)` repeated to `(batch, n, features)`.

    Args:
        n: how often.
        **kwargs: as for `Layer`.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", self)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """Return the repeated vectors."""
        batch, features = ops.shape(inputs)
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))


def _pairs(value: Any, rank: int, name: str, owner: Layer) -> tuple[tuple[int, int], ...]:
    """Return `(before, after)` for each axis from an int, an int an axis, or a pair an axis."""
    if rank == 1 and isinstance(value, (list, tuple)) and len(value) == 2:
        value = (value,)
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    pairs = tuple((v, v) if isinstance(v, int) else tuple(v) for v in values)
    if len(pairs) != rank or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise ValueError(
            f"{type(owner).__name__}: `{name}` must be an int, {rank} ints or {rank} pairs, none negative; received {value!r}."
        )
    return pairs  # type: ignore[return-value]


class _Spatial(Layer):
    """A layer over `rank` spatial axes."""

    rank = 1

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _first(self) -> int:
        return 1 if self.data_format == "channels_last" else 2


class _ZeroPadding(_Spatial):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = _pairs(padding, self.rank, "padding", self)

    def call(self, inputs: Any) -> Any:
        """Return the inputs with zeros around."""
        widths = [(0, 0)] * (self.rank + 2)
        widths[self._first : self._first + self.rank] = self.padding
        return ops.pad(inputs, widths)


@LAYERS.register()
class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after a sequence `(batch, time, channels)`.

    Args:
        padding: how many: one number, or `(before, after)`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """


@LAYERS.register()
class ZeroPadding2D(_ZeroPadding):
    """Zeros around images `(batch, height, width, channels)`.

    Args:
        padding: how many: one number, one for height and one for width, or a pair for each.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """

    rank = 2


class _Cropping(_Spatial):
    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = _pairs(cropping, self.rank, "cropping", self)

    def call(self, inputs: Any) -> Any:
        """Return the inputs without their margins."""
        shape = ops.shape(inputs)
        index: list[Any] = [slice(None)] * len(shape)
        for axis, (before, after) in enumerate(self.cropping, self._first):
            if before + after >= shape[axis]:
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}): cropping {before} + {after} leaves nothing of axis {axis}, which "
                    f"has size {shape[axis]}."
                )
            index[axis] = slice(before, shape[axis] - after)
        return inputs[tuple(index)]


@LAYERS.register()
class Cropping1D(_Cropping):
    """A sequence `(batch, time, channels)` without its ends.

    Args:
        cropping: how many to drop: one number, or `(at the beginning, at the end)`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """

    def __init__(self, cropping: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@LAYERS.register()
class Cropping2D(_Cropping):
    """Images `(batch, height, width, channels)` without their margins.

    Args:
        cropping: how many to drop: one number, one for height and one for width, or a pair for each.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@LAYERS.register()
class UpSampling1D(Layer):
    """Each time of `(batch, time, channels)` repeated.

    Args:
        size: how often.
        **kwargs: as for `Layer`.
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive_int(size, "size", self)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Any:
        """Return the longer sequence."""
        return ops.repeat(inputs, self.size, axis=1)


@LAYERS.register()
class UpSampling2D(_Spatial):
    """Images enlarged by whole factors.

    Args:
        size: the factors of height and width, or one for both.
        data_format: `"channels_last"` or `"channels_first"`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"` goes linearly from one to the next.
        **kwargs: as for `Layer`.
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: Literal["nearest", "bilinear"] = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 2, "size", self)
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                f"UpSampling2D: `interpolation` must be 'nearest' or 'bilinear'; received {interpolation!r}."
            )
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Any:
        """Return the larger images."""
        for axis, factor in enumerate(self.size, self._first):
            if factor == 1:
                continue
            if self.interpolation == "nearest":
                inputs = ops.repeat(inputs, factor, axis=axis)
            else:
                inputs = _enlarge_linearly(inputs, factor, axis)
        return inputs


def _enlarge_linearly(x: Any, factor: int, axis: int) -> Any:
    """Return `x` enlarged along an axis, pixels seen as squares with their value at the centre."""
    shape = ops.shape(x)
    size = shape[axis]
    place = (ops.arange(size * factor, dtype=ops.dtype(x)) + 0.5) / factor - 0.5
    place = ops.clip(place, 0.0, float(size - 1))
    low = ops.floor(place)
    weight = ops.reshape(place - low, [-1 if i == axis else 1 for i in range(len(shape))])
    first = ops.cast(low, "int32")
    second = ops.minimum(first + 1, size - 1)
    return ops.take(x, first, axis=axis) * (1.0 - weight) + ops.take(x, second, axis=axis) * weight
