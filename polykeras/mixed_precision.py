"""Keras 2's names for the dtype policies of `polykeras.dtype_policies`, and the optimizer that goes with them."""

from polykeras.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from polykeras.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]
