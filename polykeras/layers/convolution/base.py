"""What layers that move a window over spatial axes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import activations, config, ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import int_tuple
from polykeras.common.types import ActivationLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.weights import known_sizes, make_weight


def standardize_padding(value: Any, allowed: Sequence[str], owner: Layer) -> str:
    """Return a padding in lower case.

    Raises:
        ValueError: it is not among those allowed.
    """
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in allowed:
        raise ValueError(f"{type(owner).__name__}: `padding` must be one of {', '.join(allowed)}; received {value!r}.")
    return lowered


class Spatial(Layer):
    """A layer over `rank` spatial axes: inputs `(batch, *space, channels)`, or channels first.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: as for `Layer`.

    Attributes:
        rank: the number of spatial axes.
    """

    rank = 1

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _space(self) -> tuple[int, ...]:
        """The spatial axes."""
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    @property
    def _input_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        space = ("depth", "height", "width")[-self.rank :] if self.rank > 1 else ("steps",)
        last = self.data_format == "channels_last"
        return ("batch", *space, "channels") if last else ("batch", "channels", *space)

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1


def keep_window(
    layer: Layer,
    rank: int,
    kernel_size: PerAxis,
    strides: PerAxis,
    padding: str,
    data_format: str | None,
    dilation_rate: PerAxis,
    paddings: Sequence[str] = ("valid", "same"),
    strided_dilation: bool = False,
) -> dict[str, Any]:
    """Keep the arguments that describe how a window moves as attributes, where `get_config` finds them.

    Args:
        layer: whose window it is.
        rank: the number of spatial axes.
        kernel_size: see `Conv2D`.
        strides: see `Conv2D`.
        padding: see `Conv2D`.
        data_format: see `Conv2D`.
        dilation_rate: see `Conv2D`.
        paddings: those that the layer knows.
        strided_dilation: whether strides and dilation may both exceed 1.

    Returns:
        All but the size of the window: what `ops.conv` takes beside inputs and kernel.

    Raises:
        ValueError: an argument out of range; strides and dilation that both exceed 1, where they may not.
    """
    layer.kernel_size = int_tuple(kernel_size, rank, "kernel_size", layer)
    window = {
        "strides": int_tuple(strides, rank, "strides", layer),
        "padding": standardize_padding(padding, paddings, layer),
        "data_format": config.standardize_data_format(data_format),
        "dilation_rate": int_tuple(dilation_rate, rank, "dilation_rate", layer),
    }
    for name, value in window.items():
        setattr(layer, name, value)
    if not strided_dilation and max(window["strides"]) > 1 and max(window["dilation_rate"]) > 1:
        raise ValueError(
            f"{type(layer).__name__}: strides and dilation cannot both exceed 1; received "
            f"strides={window['strides']}, dilation_rate={window['dilation_rate']}."
        )
    return window


def beside_channels(bias: Array, rank: int, data_format: str) -> Array:
    """Return a bias `(filters,)` in the form in which it is added to `(..., *space, filters)`, or filters first."""
    return ops.reshape(bias, (-1, *(1,) * rank)) if data_format == "channels_first" else bias


class BaseConv(Spatial):
    """What convolutions have in common.

    Args:
        kernel_size: see `Conv2D`.
        strides: see `Conv2D`.
        padding: see `Conv2D`.
        data_format: see `Conv2D`.
        dilation_rate: see `Conv2D`.
        activation: see `Conv2D`.
        use_bias: see `Conv2D`.
        **kwargs: as for `Layer`.

    Attributes:
        paddings: those that the layer knows.
        strided_dilation: whether strides and dilation may both exceed 1.
    """

    paddings: tuple[str, ...] = ("valid", "same")
    strided_dilation = False

    def __init__(
        self,
        kernel_size: PerAxis,
        strides: PerAxis,
        padding: str,
        data_format: str | None,
        dilation_rate: PerAxis,
        activation: ActivationLike,
        use_bias: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self._window = keep_window(
            self,
            self.rank,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            self.paddings,
            self.strided_dilation,
        )
        self.activation = activations.get(activation)
        self.use_bias = use_bias

    def _channels(self, input_shape: Any) -> int:
        """Return the number of channels, which later inputs must have as well."""
        (channels,) = known_sizes(self, input_shape, [self._channel_axis])
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: channels})
        return channels

    def _make_bias(self, filters: int) -> None:
        self.bias = make_weight(self, "bias", (filters,)) if self.use_bias else None

    def _finish(self, x: Array) -> Array:
        """Return the activation of `x` plus the bias."""
        if self.bias is not None:
            x = ops.add(x, beside_channels(self.bias, self.rank, self.data_format))
        return x if self.activation is None else self.activation(x)
