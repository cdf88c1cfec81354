"""Dtype policies: the dtypes in which layers compute and store their weights."""

from polykeras.dtype_policies.lookup import deserialize, get, serialize, set_dtype_policy
from polykeras.dtype_policies.policy import DTypePolicy, FloatDTypePolicy, dtype_policy
from polykeras.dtype_policies.policy_map import DTypePolicyMap
from polykeras.dtype_policies.quantized import (
    QUANTIZATION_MODES,
    AWQDTypePolicy,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
    check_mode,
)

__all__ = [
    "QUANTIZATION_MODES",
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "check_mode",
    "deserialize",
    "dtype_policy",
    "get",
    "serialize",
    "set_dtype_policy",
]
