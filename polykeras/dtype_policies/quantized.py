"""Dtype policies of quantized layers."""

from __future__ import annotations

import re
from typing import Any

from polykeras.dtype_policies.policy import MAPS, DTypePolicy, dtype_policy

QUANTIZATION_MODES = ("int8", "int4", "float8", "ternary")


def check_mode(mode: Any) -> None:
    """Check that layers can be quantized in this mode.

    Raises:
        NotImplementedError: the mode is GPTQ or AWQ.
        ValueError: the mode is unknown.
    """
    if mode in QUANTIZATION_MODES:
        return
    known = ", ".join(map(repr, QUANTIZATION_MODES))
    if isinstance(mode, str) and mode.startswith(("gptq", "awq")):
        raise NotImplementedError(
            f"Quantization by {mode.split('/')[0].upper()} is not available: received {mode!r}. Available: {known}; "
            "'int4' also keeps a scale for each block of a weight (`Int4QuantizationConfig(block_size=128)`)."
        )
    raise ValueError(f"Expected a quantization mode, one of {known}; received {mode!r}.")


@MAPS.register()
class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a layer whose weights are stored as whole numbers; see `Layer.quantize`.

    Args:
        mode: `"int8"`, `"int4"` or `"ternary"`.
        source_name: the name of the policy before quantization, such as `"float32"`; by default the global one.

    Raises:
        ValueError: the mode is another one, or int8 is computed in float16, where sums overflow.
        NotImplementedError: the mode is GPTQ or AWQ.
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


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """Keras's policy for layers quantized by GPTQ, which is not available; arguments as for `QuantizedDTypePolicy`.

    Raises:
        NotImplementedError: always.
    """


class AWQDTypePolicy(QuantizedDTypePolicy):
    """Keras's policy for layers quantized by AWQ, which is not available; arguments as for `QuantizedDTypePolicy`.

    Raises:
        NotImplementedError: always.
    """
