"""Quantizers, which turn floats into whole numbers of few bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.quantizers.calibrated import AWQConfig, GPTQConfig
from polykeras.quantizers.configs import (
    Float8QuantizationConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
    TernaryQuantizationConfig,
)
from polykeras.quantizers.packing import (
    pack_int2,
    pack_int4,
    pack_ternary,
    unpack_int2,
    unpack_int4,
    unpack_ternary,
)
from polykeras.quantizers.quantizer import QUANTIZERS, AbsMaxQuantizer, Quantizer
from polykeras.quantizers.report import QuantizationReport
from polykeras.quantizers.rounding import (
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    compute_float8_amax_history,
    compute_float8_scale,
    fake_quant_with_min_max_vars,
    quantize_and_dequantize,
)
from polykeras.saving.serialization import serialize_keras_object


def get(identifier: str | Quantizer | type[Quantizer] | Mapping[str, Any] | None, **kwargs: Any) -> Any:
    """Return a quantizer.

    Args:
        identifier: a name, a config, a class, a quantizer, or None (which stays None).
        **kwargs: arguments for the quantizer, if a name or a class is passed.
    """
    if isinstance(identifier, str):
        identifier = QUANTIZERS.find(identifier)
    return identifier(**kwargs) if isinstance(identifier, type) else QUANTIZERS.get(identifier)


def serialize(initializer: Any) -> Any:
    """Return the config of a quantizer; the argument is called as in Keras."""
    return serialize_keras_object(initializer)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the quantizer that a config describes.

    Args:
        config: the result of `serialize`, or a name.
        custom_objects: additional names that the config may use.
    """
    return QUANTIZERS.deserialize(config, custom_objects)


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "QuantizationReport",
    "Quantizer",
    "TernaryQuantizationConfig",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int2",
    "pack_int4",
    "pack_ternary",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int2",
    "unpack_int4",
    "unpack_ternary",
]
