"""Objects that turn floats into whole numbers and scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.backend.spec import Axis
from polykeras.common.types import ArrayLike
from polykeras.quantizers.rounding import abs_max_quantize
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry

QUANTIZERS: Registry[Any] = Registry("quantizer", "keras.quantizers")


@QUANTIZERS.register()
class Quantizer(Configurable):
    """Base of quantizers; this one changes nothing.

    Args:
        output_dtype: of the numbers.
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: ArrayLike) -> Any:
        """Return the quantized array."""
        return x


@QUANTIZERS.register()
class AbsMaxQuantizer(Quantizer):
    """Scales floats so that the largest size becomes the largest whole number; see `abs_max_quantize`.

    Args:
        axis: the axes over which sizes are compared.
        value_range: the least and the largest number.
        epsilon: keeps the divisor from 0.
        output_dtype: of the numbers.

    Raises:
        ValueError: the range does not fit into int8.
    """

    def __init__(
        self,
        axis: Axis = None,
        value_range: Sequence[int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        if output_dtype == "int8" and (value_range[0] < -128 or value_range[1] > 127):
            raise ValueError(f"AbsMaxQuantizer: int8 holds numbers in [-128, 127]; received the range {value_range}.")
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = value_range
        self.epsilon = epsilon

    def __call__(self, x: ArrayLike, axis: Axis = None, to_numpy: bool = False) -> tuple[Any, Any]:
        """Return numbers and scales, as `abs_max_quantize` does.

        Args:
            x: floats of any shape.
            axis: in place of that of the constructor; -1 where there is none either.
            to_numpy: see `abs_max_quantize`.
        """
        axis = self.axis if axis is None else axis
        axis = -1 if axis is None else axis
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data; no axis where there is none."""
        return {name: value for name, value in super().get_config().items() if name != "axis" or value is not None}
