"""Layers that make sequences and images longer or shorter: padding, cropping, enlarging."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.arguments import int_tuple, positive_int
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.convolution.base import Spatial
from polykeras.ops.interpolation import KERNELS, resize_axis


def _pairs(value: Any, rank: int, name: str, owner: Layer) -> tuple[tuple[int, int], ...]:
    """Return `(before, after)` for each axis from an int, an int an axis, or a pair an axis."""
    values = (value,) * rank if isinstance(value, int) else value
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
    def _pad(self, inputs: Any, pairs: tuple[tuple[int, int], ...]) -> Any:
        widths = [(0, 0)] * (self.rank + 2)
        widths[self._space[0] : self._space[0] + self.rank] = pairs
        return ops.pad(inputs, widths)


@LAYERS.register()
class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after a sequence `(batch, time, channels)`.

    Args:
        padding: how many: one number, or `(before, after)`.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `padding` is something else, or negative.
    """

    sample_by_sample = True

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = _pairs(padding, 1, "padding", self)[0]

    def call(self, inputs: Any) -> Any:
        """Return the inputs with zeros around."""
        return self._pad(inputs, (self.padding,))


@LAYERS.register()
class ZeroPadding2D(_ZeroPadding):
    """Zeros around images `(batch, height, width, channels)`.

    Args:
        padding: how many: one number, one for height and one for width, or a pair `(before, after)` for each.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `padding` is something else, or negative.
    """

    sample_by_sample = True
    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = _pairs(padding, 2, "padding", self)

    def call(self, inputs: Any) -> Any:
        """Return the inputs with zeros around."""
        return self._pad(inputs, self.padding)


class _Cropping(Spatial):
    def _crop(self, inputs: Any, pairs: tuple[tuple[int, int], ...]) -> Any:
        shape = ops.shape(inputs)
        index: list[Any] = [slice(None)] * len(shape)
        for axis, (before, after) in zip(self._space, pairs, strict=True):
            if before + after >= shape[axis]:
                raise ValueError(
                    f"Layer {self.name!r} ({type(self).__name__}): cropping {before} + {after} leaves nothing of axis "
                    f"{axis}, which has size {shape[axis]}."
                )
            index[axis] = slice(before, shape[axis] - after)
        return inputs[tuple(index)]


@LAYERS.register()
class Cropping1D(_Cropping):
    """A sequence `(batch, time, channels)` without its ends.

    Args:
        cropping: how many to drop: one number, or `(at the beginning, at the end)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `cropping` is something else, or negative.
    """

    sample_by_sample = True
    _not_in_config = (*Layer._not_in_config, "data_format")

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__("channels_last", **kwargs)
        self.cropping = _pairs(cropping, 1, "cropping", self)[0]

    def call(self, inputs: Any) -> Any:
        """Return the inputs without their margins; `ValueError` where nothing is left."""
        return self._crop(inputs, (self.cropping,))


@LAYERS.register()
class Cropping2D(_Cropping):
    """Images `(batch, height, width, channels)` without their margins.

    Args:
        cropping: how many to drop: one number, one for height and one for width, or a pair `(before, after)` for each.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `cropping` is something else, or negative.
    """

    sample_by_sample = True
    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = _pairs(cropping, 2, "cropping", self)

    def call(self, inputs: Any) -> Any:
        """Return the inputs without their margins; `ValueError` where nothing is left."""
        return self._crop(inputs, self.cropping)


@LAYERS.register()
class UpSampling1D(Layer):
    """Each time of `(batch, time, channels)` repeated.

    Args:
        size: how often.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `size` is no positive int.
    """

    sample_by_sample = True

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive_int(size, "size", self)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Any:
        """Return the longer sequence."""
        return ops.repeat(inputs, self.size, axis=1)


# ---- enlarging images ----------------------------------------------------------------------------------------------


@LAYERS.register()
class UpSampling2D(Spatial):
    """Images `(batch, height, width, channels)` enlarged by whole factors.

    Args:
        size: the factors of height and width, or one for both.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"` and `"lanczos5"` mix them.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an unknown interpolation, or a factor that is no positive int.
    """

    sample_by_sample = True
    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 2, "size", self)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", *KERNELS):
            raise ValueError(
                f"UpSampling2D: `interpolation` must be one of nearest, {', '.join(KERNELS)}; received "
                f"{interpolation!r}."
            )

    def call(self, inputs: Any) -> Any:
        """Return the larger images."""
        for axis, factor in zip(self._space, self.size, strict=True):
            if self.interpolation == "nearest":
                inputs = ops.repeat(inputs, factor, axis=axis)
            else:
                inputs = resize_axis(inputs, axis, ops.shape(inputs)[axis] * factor, self.interpolation)
        return inputs
