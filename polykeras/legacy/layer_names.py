"""Other names that Keras 1 or 2 had for layers of today."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from polykeras import layers
from polykeras.layers.base.layer import Layer
from polykeras.layers.recurrent.conv_lstm import ConvLSTMCell

Recurrent = layers.RNN


def _instead(old: str, today: str) -> None:
    warnings.warn(f"{old} is a name of Keras 1 or 2; use {today} instead.", DeprecationWarning, stacklevel=3)


def _sized(options: dict[str, Any], *sizes: Any) -> dict[str, Any]:
    """Return options with the `kernel_size`: as Keras 2 has it, the first of some sizes, or Keras 1's one an axis."""
    given = [size for size in sizes if size is not None]
    return options | ({"kernel_size": given[0] if len(given) == 1 else tuple(given)} if given else {})


def AtrousConvolution1D(filters: int, filter_length: int | Sequence[int] | None = None, **kwargs: Any) -> Layer:
    """Return a `Conv1D`, whose `dilation_rate` was the `atrous_rate`.

    Args:
        filters: how many there are.
        filter_length: the `kernel_size`.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("AtrousConvolution1D", "Conv1D")
    return layers.Conv1D(filters, **_sized(kwargs, filter_length))


def AtrousConvolution2D(
    filters: int, nb_row: int | Sequence[int] | None = None, nb_col: int | None = None, **kwargs: Any
) -> Layer:
    """Return a `Conv2D`, whose `dilation_rate` was the `atrous_rate`.

    Args:
        filters: how many there are.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: its width.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("AtrousConvolution2D", "Conv2D")
    return layers.Conv2D(filters, **_sized(kwargs, nb_row, nb_col))


def Deconvolution2D(
    filters: int,
    nb_row: int | Sequence[int] | None = None,
    nb_col: int | None = None,
    output_shape: Any = None,
    **kwargs: Any,
) -> Layer:
    """Return a `Conv2DTranspose`; the output's shape follows from its other arguments.

    Args:
        filters: how many there are.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: its width.
        output_shape: not used.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("Deconvolution2D", "Conv2DTranspose")
    return layers.Conv2DTranspose(filters, **_sized(kwargs, nb_row, nb_col))


def Deconvolution3D(
    filters: int,
    kernel_dim1: int | Sequence[int] | None = None,
    kernel_dim2: int | None = None,
    kernel_dim3: int | None = None,
    **kwargs: Any,
) -> Layer:
    """Return a `Conv3DTranspose`; the output's shape follows from its other arguments.

    Args:
        filters: how many there are.
        kernel_dim1: the first size of the window; or the `kernel_size`, without the others.
        kernel_dim2: the second.
        kernel_dim3: the third.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("Deconvolution3D", "Conv3DTranspose")
    kwargs.pop("output_shape", None)
    return layers.Conv3DTranspose(filters, **_sized(kwargs, kernel_dim1, kernel_dim2, kernel_dim3))


def ConvLSTM2DCell(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return what a `ConvLSTM2D` does at one time.

    Args:
        filters: how many there are.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: as for `ConvLSTM2D`.
    """
    _instead("ConvLSTM2DCell", "ConvLSTM2D")
    return ConvLSTMCell(2, filters, kernel_size, **kwargs)


def ConvRecurrent2D(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return a `ConvLSTM2D`, the one layer of which it was the base class.

    Args:
        filters: how many there are.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: as for `ConvLSTM2D`.
    """
    _instead("ConvRecurrent2D", "ConvLSTM2D")
    return layers.ConvLSTM2D(filters, kernel_size, **kwargs)


class experimental:  # a module in Keras 2
    """`layers.experimental`, whose layers are among the others today."""

    preprocessing = layers


_MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum"}


def merge(
    inputs: Any,
    mode: str = "sum",
    dot_axes: Any = -1,
    concat_axis: int = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: Any = None,
    name: str | None = None,
) -> Any:
    """Return what a layer of today makes of several inputs: Keras 1's function.

    Args:
        inputs: tensors.
        mode: `"sum"`, `"mul"`, `"concat"`, `"ave"`, `"max"`, `"dot"`, `"cos"`, or a function of the list of inputs.
        dot_axes: for `"dot"` and `"cos"`: the axis of the products, or one of each input.
        concat_axis: for `"concat"`.
        output_shape: for a function; found by itself where None.
        output_mask: for a function.
        arguments: for a function: further arguments.
        name: of the layer.

    Raises:
        ValueError: if the mode is unknown.
    """
    if callable(mode):
        _instead("merge", "Lambda")
        return layers.Lambda(mode, output_shape, output_mask, arguments, name=name)(inputs)
    if mode in ("dot", "cos"):
        _instead("merge", "Dot")
        return layers.Dot(dot_axes, normalize=mode == "cos", name=name)(inputs)
    if mode not in _MERGES:
        raise ValueError(f"merge: expected a mode among {', '.join((*_MERGES, 'dot', 'cos'))}; received {mode!r}.")
    _instead("merge", _MERGES[mode])
    options = {"axis": concat_axis} if mode == "concat" else {}
    return getattr(layers, _MERGES[mode])(**options, name=name)(inputs)
