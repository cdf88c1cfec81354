"""Names of Keras 1 and 2 for layers of today."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from polykeras import layers
from polykeras.layers.base.layer import Layer
from polykeras.layers.recurrent.conv_lstm import ConvLSTMCell

Recurrent = layers.RNN


def _instead(legacy: str, today: str) -> None:
    warnings.warn(f"{legacy} is a name of Keras 1 or 2; use {today} instead.", DeprecationWarning, stacklevel=3)


def _sized(options: dict[str, Any], *sizes: Any) -> dict[str, Any]:
    """Return options with a `kernel_size`: the first of `sizes` (Keras 2), or one size for each axis (Keras 1)."""
    given = [size for size in sizes if size is not None]
    return options | ({"kernel_size": given[0] if len(given) == 1 else tuple(given)} if given else {})


def AtrousConvolution1D(filters: int, filter_length: int | Sequence[int] | None = None, **kwargs: Any) -> Layer:
    """Return a `Conv1D` whose `dilation_rate` is the `atrous_rate`.

    Args:
        filters: the number of filters.
        filter_length: the `kernel_size`.
        **kwargs: arguments of the layer, with the names of any version of Keras.
    """
    _instead("AtrousConvolution1D", "Conv1D")
    return layers.Conv1D(filters, **_sized(kwargs, filter_length))


def AtrousConvolution2D(
    filters: int, nb_row: int | Sequence[int] | None = None, nb_col: int | None = None, **kwargs: Any
) -> Layer:
    """Return a `Conv2D` whose `dilation_rate` is the `atrous_rate`.

    Args:
        filters: the number of filters.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: the width of the window.
        **kwargs: arguments of the layer, with the names of any version of Keras.
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
    """Return a `Conv2DTranspose`. The output shape follows from the other arguments.

    Args:
        filters: the number of filters.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: the width of the window.
        output_shape: not used.
        **kwargs: arguments of the layer, with the names of any version of Keras.
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
    """Return a `Conv3DTranspose`. The output shape follows from the other arguments.

    Args:
        filters: the number of filters.
        kernel_dim1: the first size of the window; or the `kernel_size`, without the others.
        kernel_dim2: the second size of the window.
        kernel_dim3: the third size of the window.
        **kwargs: arguments of the layer, with the names of any version of Keras.
    """
    _instead("Deconvolution3D", "Conv3DTranspose")
    kwargs.pop("output_shape", None)
    return layers.Conv3DTranspose(filters, **_sized(kwargs, kernel_dim1, kernel_dim2, kernel_dim3))


def ConvLSTM2DCell(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return the cell of a `ConvLSTM2D`, which computes one time step.

    Args:
        filters: the number of filters.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: see `ConvLSTM2D`.
    """
    _instead("ConvLSTM2DCell", "ConvLSTM2D")
    return ConvLSTMCell(2, filters, kernel_size, **kwargs)


def ConvRecurrent2D(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return a `ConvLSTM2D`, the only layer with this base class.

    Args:
        filters: the number of filters.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: see `ConvLSTM2D`.
    """
    _instead("ConvRecurrent2D", "ConvLSTM2D")
    return layers.ConvLSTM2D(filters, kernel_size, **kwargs)


class experimental:  # a module in Keras 2
    """`layers.experimental`, whose layers are now among the others."""

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
    """Return the combination of several inputs by a layer of today: a function of Keras 1.

    Args:
        inputs: tensors.
        mode: `"sum"`, `"mul"`, `"concat"`, `"ave"`, `"max"`, `"dot"`, `"cos"`, or a function of the list of inputs.
        dot_axes: for `"dot"` and `"cos"`: the axis of the products, or one for each input.
        concat_axis: for `"concat"`: the axis to join.
        output_shape: for a function: the shape of the output; inferred if None.
        output_mask: for a function: the mask of the output.
        arguments: for a function: further arguments.
        name: the name of the layer.

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
