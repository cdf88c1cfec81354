"""Dtype policies of quantized layers."""

from __future__ import annotations

import re
from typing import Any

from polykeras.dtype_policies.policy import MAPS, DTypePolicy, dtype_policy

QUANTIZATION_MODES = ("int8", "int4", "float8", "ternary", "gptq", "awq")


def check_mode(mode: Any) -> None:
    """Check that layers can be quantized in this mode.

    Raises:
        ValueError: the mode is unknown.
    """
    if mode in QUANTIZATION_MODES:
        return
    known = ", ".join(map(repr, QUANTIZATION_MODES))
    raise ValueError(f"Expected a quantization mode, one of {known}; received {mode!r}.")


@MAPS.register()
class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a layer whose weights are stored as whole numbers; see `Layer.quantize`.

    Args:
        mode: `"int8"`, `"int4"` or `"ternary"`.
        source_name: the name of the policy before quantization, such as `"float32"`; by default the global one.

    Raises:
        ValueError: the mode is another one, or int8 is computed in float16, where sums overflow.
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        check_mode(mode)
        self.quantization_mode = mode
        self._source_name = source_name or dtype_policy().name
        self._set_dtypes(self._source_name)
        self.name = f"{mode}_from_{self._source_name}"
        if (mode, self.compute_dtype) == ("int8", "float16"):
            raise ValueError(
                f"The dtype policy {self.name!r}: sums of products of 8-bit numbers are too large for float16. Compute "
                "in float32 or bfloat16, or use the mode 'int4'."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {"mode": self.quantization_mode, "source_name": self._source_name}


@MAPS.register()
class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The policy of a layer that computes with 8-bit floats in training; see `Layer.quantize`.

    Args:
        mode: `"float8"`.
        source_name: the name of the policy before quantization; by default the global one.
        amax_history_length: the number of largest absolute values that are kept, one for each step. Scales are computed
            from the largest of them.

    Raises:
        TypeError: the length is not an int.
        ValueError: the mode is another one.
    """

    default_amax_history_length = 1024

    def __init__(self, mode: str, source_name: str | None = None, amax_history_length: int = 1024) -> None:
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                f"QuantizedFloat8DTypePolicy: `amax_history_length` must be an int; received {amax_history_length!r}."
            )
        self.amax_history_length = amax_history_length

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"amax_history_length": self.amax_history_length}


@MAPS.register()
class Int4DTypePolicy(QuantizedDTypePolicy):
    """The policy of a layer with 4-bit weights, and a scale for each block of a weight.

    Args:
        mode: `"int4/128"` for blocks of 128, or `"int4/-1"` for a single scale for each output.
        source_name: the name of the policy before quantization; by default the global one.

    Raises:
        ValueError: `mode` has another form.
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        found = re.fullmatch(r"int4/(-1|[1-9]\d*)", mode)
        if not found:
            raise ValueError(f"Int4DTypePolicy: expected a mode such as 'int4/128' or 'int4/-1'; received {mode!r}.")
        super().__init__("int4", source_name)
        self.mode = "int4"
        self.block_size = int(found[1])
        self.name = f"{mode}_from_{self._source_name}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"mode": f"int4/{self.block_size}"}


class _CalibratedDTypePolicy(QuantizedDTypePolicy):
    """Base of the policies of layers whose weights were fitted to data."""

    _mode: str
    _bits: tuple[int, ...]

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        found = re.fullmatch(rf"{self._mode}/(\d+)/(-1|[1-9]\d*)", mode)
        if not found or int(found[1]) not in self._bits:
            raise ValueError(
                f"{type(self).__name__}: expected a mode such as '{self._mode}/4/128', with the bits of a number "
                f"({', '.join(map(str, self._bits))}) and the size of a group, or -1 for one group; received {mode!r}."
            )
        super().__init__(self._mode, source_name)
        self.mode = self._mode
        self.weight_bits, self.group_size = int(found[1]), int(found[2])
        self.name = f"{mode}_from_{self._source_name}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"mode": f"{self._mode}/{self.weight_bits}/{self.group_size}"}


@MAPS.register()
class GPTQDTypePolicy(_CalibratedDTypePolicy):
    """The policy of a layer that was quantized by GPTQ.

    Args:
        mode: `"gptq/4/128"` for 4 bits and groups of 128, or `"gptq/4/-1"` for a single scale for each output.
        source_name: the name of the policy before quantization; by default the global one.

    Raises:
        ValueError: `mode` has another form.
    """

    _mode = "gptq"
    _bits = (2, 3, 4, 8)


@MAPS.register()
class AWQDTypePolicy(_CalibratedDTypePolicy):
    """The policy of a layer that was quantized by AWQ, to 4 bits.

    Args:
        mode: `"awq/4/128"` for groups of 128, or `"awq/4/-1"` for a single scale for each output.
        source_name: the name of the policy before quantization; by default the global one.

    Raises:
        ValueError: `mode` has another form.
    """

    _mode = "awq"
    _bits = (4,)
