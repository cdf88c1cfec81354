"""A dense layer whose product is an einsum over any axes."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from polykeras import activations, initializers, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.low_rank import AdaptedWeight
from polykeras.layers.base.quantizable import Quantizable
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.quantized.layout import Layout, of_einsum

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


@LAYERS.register()
class EinsumDense(Quantizable):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: the product in Einstein notation, such as `"abc,cd->abd"`. Inputs and outputs may both begin with
            `...`, or both end with it. The first axis of inputs and outputs is the batch axis.
        output_shape: sizes of the output's axes, without the batch axis and those that `...` stands for; None for an
            axis of the same size as in the inputs. An int stands for a single axis.
        activation: the name of an activation, or a function; none by default.
        bias_axes: letters of the output's axes along which the bias varies; None for no bias.
        kernel_initializer: initializer of the kernel, whose axes the equation names.
        bias_initializer: initializer of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        lora_rank: the rank for LoRA, if it should be used; see `enable_lora`.
        lora_alpha: the scale for LoRA; see `enable_lora`.
        quantization_config: how to quantize, if the dtype policy is a quantized one; see `quantize`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the equation has another form, or does not fit the shapes.

    Example:
        >>> from polykeras import layers
        >>> heads = layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 8), bias_axes="de")
        >>> heads(layers.Input((10, 32))).shape
        (None, 10, 4, 8)
    """

    sample_by_sample = True
    kernel = AdaptedWeight()
    _modes: ClassVar[tuple[str, ...]] = ("int8", "int4", "float8", "gptq", "awq")
    _lacks: ClassVar[dict[str, Any]] = {"gptq_unpacked_column_size": None}
    _not_in_config = (*Quantizable._not_in_config, "output_shape")

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config, **kwargs)
        self.equation = equation
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        keep_options(self, locals(), "kernel", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel and the bias."""
        try:
            axes = _analyse(self.equation, tuple(input_shape), self.partial_output_shape, self.bias_axes)
        except ValueError as error:
            raise ValueError(f"{self._title()}: {error}") from None
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and initializer.input_axes is None:
            initializer = copy.copy(initializer)  # it counts a unit's inputs and outputs by these axes
            initializer.input_axes, initializer.output_axes = axes.summed, axes.kept
        self.kernel = make_weight(self, "kernel", axes.kernel, initializer=initializer)
        self.bias = make_weight(self, "bias", axes.bias) if axes.bias is not None else None
        self._trailing = axes.trailing
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        """Return the outputs.

        Args:
            inputs: an array with the axes that the equation names.
            training: not used.
        """
        x = self._shift(self._product(self._multiplied, inputs))
        return x if self.activation is None else self.activation(x)

    def _multiplied(self, inputs: Array, kernel: Array) -> Array:
        if self._trailing:  # a plain product, which needs no equation
            return ops.tensordot(inputs, kernel, axes=self._trailing)
        return ops.einsum(self.equation, inputs, kernel)

    def _layouts(self) -> list[Layout]:
        return [of_einsum("kernel", self.equation, vars(self)["kernel"].shape, self.input_spec.ndim)]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return super().get_config() | {"output_shape": self.partial_output_shape}


@dataclass(frozen=True)
class _Axes:
    """What an equation says about the weights: their shapes, and the axes of the kernel that are summed.

    `trailing` is the number of summed axes if they are the last ones of the inputs and the first ones of the kernel,
    and all other axes stay in order. Otherwise it is 0.
    """

    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None
    summed: list[int]
    kept: list[int]
    trailing: int


_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


def _analyse(
    equation: str, shape: tuple[int | None, ...], partial: tuple[int | None, ...], bias_axes: str | None
) -> _Axes:
    found = _FORM.fullmatch(equation.replace(" ", ""))
    before, inputs, behind, kernel, *ends = found.groups() if found else ("",) * 7
    if not found or (before, behind) != (ends[0], ends[2]) or (before and behind):
        raise ValueError(
            "expected an equation of the form 'X,Y->Z', '...X,Y->...Z' or 'X...,Y->Z...', with letters for X, Y and Z; "
            f"received {equation!r}."
        )
    outputs = ends[1]
    hidden = len(shape) - len(inputs)
    if hidden < 0 or (hidden and not before and not behind):
        raise ValueError(f"the equation {equation!r} does not fit the axes of the inputs; received the shape {shape}.")
    # The sizes of those axes of the output that have letters.
    named = partial if before and hidden else (shape[0], *partial)
    if len(named) != len(outputs):
        raise ValueError(
            f"the equation {equation!r} needs {len(outputs) + len(partial) - len(named)} sizes in `output_shape` for "
            f"inputs of the shape {shape}; received {partial}."
        )
    incoming = dict(zip(inputs, shape[hidden:] if before else shape, strict=False))
    outgoing = dict(zip(outputs, named, strict=True))
    for letter in incoming.keys() & outgoing.keys():
        if None not in (incoming[letter], outgoing[letter]) and incoming[letter] != outgoing[letter]:
            raise ValueError(
                f"the axis {letter!r} of {equation!r} has size {incoming[letter]} in the inputs, of the shape {shape}, "
                f"and {outgoing[letter]} in `output_shape`, {partial}."
            )
    sizes = incoming | {letter: size for letter, size in outgoing.items() if size is not None}
    bias = None
    if bias_axes:
        spread = outputs[min((outputs.find(letter) for letter in bias_axes), default=0) :]
        _check(equation, bias_axes, sizes, outputs, "bias", shape)
        bias = (*(sizes[c] if c in bias_axes else 1 for c in spread), *(1,) * (hidden if behind else 0))
    _check(equation, outputs, dict.fromkeys(inputs + kernel, 1), outputs, "output", shape)
    _check(equation, kernel, sizes, inputs + outputs, "kernel", shape)
    summed = [i for i, c in enumerate(kernel) if c not in outputs]
    n = len(summed)
    plain = n and not behind and inputs[-n:] == kernel[:n] and outputs == inputs[:-n] + kernel[n:]
    return _Axes(
        tuple(sizes[c] for c in kernel),  # type: ignore[misc]
        bias,  # type: ignore[arg-type]
        summed,
        [i for i, c in enumerate(kernel) if c in outputs],
        n if plain else 0,
    )


def _check(equation: str, letters: str, sizes: dict[str, int | None], among: str, what: str, shape: Any) -> None:
    """Raise `ValueError` if the size of a letter in a weight is not known."""
    for letter in letters:
        if letter not in among or sizes.get(letter) is None:
            raise ValueError(
                f"the size of the axis {letter!r} of the {what} is not known from the equation {equation!r}, inputs of "
                f"the shape {shape} and `output_shape`."
            )
