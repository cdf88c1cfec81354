"""The forms of a layer's weights in files, and their conversion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.saving.legacy.classes import is_a
from polykeras.saving.legacy.layout import Origin
from polykeras.saving.legacy.order import not_trained, trained

Shape = tuple[int, ...]
Arrays = list[np.ndarray]


def _as_they_are(arrays: Arrays) -> Arrays:
    """Return arrays unchanged."""
    return arrays


@dataclass(frozen=True)
class Form:
    """One way to store the trained weights of a layer.

    Attributes:
        shapes: the shapes of the arrays in the file.
        read: takes the arrays, and returns the values of our variables.
        fits_slots: whether the optimizer's slots for the arrays are converted in the same way.
    """

    shapes: list[Shape]
    read: Callable[[Arrays], Arrays] = _as_they_are
    fits_slots: bool = True


@dataclass(frozen=True)
class Part:
    """The position of a layer's weights among the arrays of a group.

    Attributes:
        owner: the layer.
        form: the form of the trained weights.
        first: the index of the first array of the form.
        others: the index of the first of the other weights, which are stored unchanged.
    """

    owner: Any
    form: Form
    first: int
    others: int

    @property
    def place(self) -> slice:
        """The arrays of the form."""
        return slice(self.first, self.first + len(self.form.shapes))


def forms_of(owner: Any, origin: Origin) -> list[Form]:
    """Return the forms that a file of that origin may use for a layer's weights, the likeliest first."""
    if is_a(owner, "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"):
        return _of_convolution(owner, origin)
    if is_a(owner, "LSTMCell") and hasattr(owner, "kernel_size"):  # the cell of a ConvLSTM
        return [_turned(owner, origin, _shapes(owner))]
    if is_a(owner, "LSTMCell", "GRUCell"):
        return _of_cell(owner, origin, is_a(owner, "LSTMCell"))
    plain = Form(_shapes(owner))
    if is_a(owner, "SeparableConv2D") and origin.major == 1:
        # Not reversed for Theano: Keras itself reversed the kernels of separate channels.
        first, second, *rest = plain.shapes
        old = Form(
            [_channels_first(first), _channels_first(second), *rest],
            lambda arrays: [*map(_channels_last, arrays[:2]), *arrays[2:]],
        )
        return [old, plain] if owner.data_format == "channels_first" else [plain, old]
    return [plain]


def _shapes(owner: Any) -> list[Shape]:
    return [variable.shape for variable in trained(owner)]


def _channels_first(shape: Shape) -> Shape:
    """Return the shape that Keras 1 used with channels first for a kernel of `(rows, columns, inputs, outputs)`."""
    return shape[3], shape[2], shape[0], shape[1]


def _channels_last(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(2, 3, 1, 0)


def _turned(
    owner: Any, origin: Origin, shapes: list[Shape], as_ours: Callable[[np.ndarray], np.ndarray] = lambda kernel: kernel
) -> Form:
    """Return the form of a convolution-like layer whose first array has the first shape and is read by `as_ours`."""

    def read(arrays: Arrays) -> Arrays:
        arrays = [as_ours(arrays[0]), *arrays[1:]]
        if not origin.convolves:
            return arrays
        space = range(owner.rank)
        return [np.flip(x, tuple(space)) if x.ndim == owner.rank + 2 else x for x in arrays]

    return Form(shapes, read)


def _of_convolution(owner: Any, origin: Origin) -> list[Form]:
    kernel, *rest = _shapes(owner)

    def form(shape: Shape, as_ours: Callable[[np.ndarray], np.ndarray] = lambda kernel: kernel) -> Form:
        return _turned(owner, origin, [shape, *rest], as_ours)

    plain = form(kernel)
    if origin.major > 1 or len(kernel) > 4:
        return [plain]
    if is_a(owner, "Conv2DTranspose"):
        *window, filters, channels = list(kernel)
        if owner.data_format == "channels_first":
            return [form((filters, channels, *window), lambda kernel: kernel.transpose(2, 3, 0, 1))]
        return [form((*window, channels, filters), lambda kernel: kernel.swapaxes(2, 3))]
    if len(kernel) == 4:
        old = form(_channels_first(kernel), _channels_last)
        return [old, plain] if owner.data_format == "channels_first" else [plain, old]
    image = (*kernel[:1], 1, *kernel[1:])  # Keras 1 treated a sequence as an image with one column
    return [
        form(image, lambda kernel: kernel[:, 0]),
        form(_channels_first(image), lambda kernel: _channels_last(kernel)[:, 0]),
    ]


# ---- recurrent cells -----------------------------------------------------------------------------------------------


def _of_cell(owner: Any, origin: Origin, is_lstm: bool) -> list[Form]:
    plain = Form(_shapes(owner))
    if not owner.use_bias:
        return [plain]
    gates, units = owner.gates, owner.units
    kernel, recurrent, _ = plain.shapes
    if origin.major == 1:
        one = [(kernel[0], units), (units, units), (units,)]
        # The file's order of the gates is input, cell, forget, output; ours is input, forget, cell, output.
        order = (0, 2, 1, 3) if is_lstm else (0, 1, 2)
        return [Form(one * gates, lambda arrays: _joined(arrays, order)), plain]
    if not is_lstm and not owner.reset_after:
        return [plain]
    cudnn = Form(
        [kernel, recurrent, (2 * gates * units,)],
        lambda arrays: _of_cudnn(arrays, gates, is_lstm),
        fits_slots=not is_lstm,  # of two biases that are added, each has its own slots
    )
    return [plain, cudnn]


def _joined(arrays: Arrays, order: Sequence[int]) -> Arrays:
    """Return the kernel, recurrent kernel and bias from one such triple for each gate."""
    return [np.concatenate([arrays[3 * gate + kind] for gate in order], axis=-1) for kind in range(3)]


def _of_cudnn(arrays: Arrays, gates: int, is_lstm: bool) -> Arrays:
    """Return weights that were stored in the layout of NVIDIA's library."""
    kernel, recurrent, bias = arrays
    return [
        np.hstack([part.T.reshape(part.shape, order="F") for part in np.hsplit(kernel, gates)]),
        np.hstack([part.T for part in np.hsplit(recurrent, gates)]),
        bias.reshape(2, -1).sum(axis=0) if is_lstm else bias.reshape(2, -1),
    ]


# ---- matching ------------------------------------------------------------------------------------------------------


def match(found: list[Any], shapes: list[Shape], origin: Origin) -> list[Part] | None:
    """Find the weights of layers among the arrays of a group, by shapes alone.

    Trained weights come first, then the others and those of frozen layers. It is not always known which layers were
    frozen when the file was written, since other layers may be frozen in the present model.

    Args:
        found: the layers with weights of their own, in Keras's order.
        shapes: the shapes of the arrays.
        origin: the program that wrote the file.

    Returns:
        A part for each layer; None if the arrays do not fit.
    """
    ways: list[Callable[[Any], bool]] = [lambda owner: not owner.trainable, lambda owner: False, lambda owner: True]
    for frozen in ways:
        parts = _match(found, shapes, origin, frozen)
        if parts is not None:
            return parts
    return None


def _match(found: list[Any], shapes: list[Shape], origin: Origin, frozen: Callable[[Any], bool]) -> list[Part] | None:
    firsts: dict[int, tuple[Form, int]] = {}
    parts, place = [], 0

    def take(owner: Any) -> bool:
        nonlocal place
        for form in forms_of(owner, origin):
            if shapes[place : place + len(form.shapes)] == form.shapes:
                firsts[id(owner)] = form, place
                place += len(form.shapes)
                return True
        return False

    for owner in found:
        if not frozen(owner) and not take(owner):
            return None
    for owner in found:
        if frozen(owner) and not take(owner):
            return None
        others = [variable.shape for variable in not_trained(owner)]
        if shapes[place : place + len(others)] != others:
            return None
        parts.append(Part(owner, *firsts[id(owner)], others=place))
        place += len(others)
    return parts if place == len(shapes) else None
