"""The effects of torch's operators: which calls may be repeated, and which not.

An operator is assumed to be a pure function of its tensors, except for the arguments that its schema says it writes to,
if it is one of torch's own and is not listed here. Other operators run unchanged, and are not repeated.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from polykeras_torch.private import BATCH_NORM, schema_of

aten: Any = torch.ops.aten

_OURS = ("aten", "prims")  # the namespaces of torch's own operators; all others belong to somebody else

SUM_OVER_WORKERS = "polykeras::sum_over_workers_"
"""The operator of this backend that several processes call together (`collectives.py`)."""

CUT = "its arrays are cut over processes"
"""Why a run is not recorded in which arrays are DTensors. Users chose that, and are not warned of it."""

# These use the shape of their first argument, not its values.
_SHAPED = {getattr(aten, name) for name in ("zeros_like", "ones_like", "full_like")}
# fmt: off
_EMPTY = {
    getattr(aten, name)
    for name in ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
}
# Operators whose kernels read values of an argument on the host, or get sizes from them, without a tag that says so;
# that change the properties of a tensor, not its values; or that print, end the process or wait.
_NOT_REPEATED = {
    "_assert_async", "_assert_scalar", "_async_error", "_cudnn_init_dropout_state", "_cudnn_rnn", "_ctc_loss",
    "_pack_padded_sequence", "_pack_padded_sequence_backward", "_pad_packed_sequence", "_print", "_resize_output_",
    "_segment_reduce_backward", "from_file", "histogram", "manual_seed", "miopen_rnn", "pin_memory", "_pin_memory",
    "record_stream", "rename_", "resize_", "resize_as_", "resize_as_sparse_", "seed", "segment_reduce", "set_",
    "set_data", "sym_constrain_range",
}
# fmt: on
# Kernels that change their fourth and fifth argument, running statistics, if the sixth says that they train. Their
# schemas do not say so.
_UPDATES_STATISTICS = {BATCH_NORM, *(getattr(aten, name, None) for name in ("cudnn_batch_norm", "miopen_batch_norm"))}
_NUMBERS_BY_SHAPE = {"_fused_sdp_choice", "is_same_size", "sym_numel", "sym_size", "sym_storage_offset", "sym_stride"}


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is a block of numbers in memory: not sparse, quantized, nested, or of a subclass."""
    return (
        type(tensor) in (Tensor, Parameter)
        and tensor.layout is torch.strided
        and not tensor.is_quantized
        and not tensor.is_nested
        and tensor.device.type != "meta"
    )


@cache
def draws(func: Any) -> bool:
    """Return whether a call returns different values each time."""
    return torch.Tag.nondeterministic_seeded in func.tags or any("Generator" in str(a.type) for a in _arguments(func))


@cache
def is_collective(func: Any) -> bool:
    """Return whether other processes wait for a call. Its result depends on their values, so it is never constant."""
    return schema_of(func).name == SUM_OVER_WORKERS


def takes_shape_only(func: Any) -> bool:
    """Return whether a call's result depends on the shape of its argument, not on the values."""
    return func.overloadpacket in _SHAPED


def makes_room_only(func: Any) -> bool:
    """Return whether a call returns uninitialized memory."""
    return func.overloadpacket in _EMPTY


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors that a call changes in place."""
    said = _given(func, args, kwargs, lambda alias: alias is not None and alias.is_write)
    if func.overloadpacket in _UPDATES_STATISTICS and args[5]:
        said += [x for x in args[3:5] if x is not None]
    return said


def read(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors whose values a call reads, without those that it only views or changes."""
    return _given(func, args, kwargs, lambda alias: alias is None)


def _given(func: Any, args: Any, kwargs: Any, wanted: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for i, argument in enumerate(_arguments(func)):
        if wanted(argument.alias_info):
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            found += [x for x in (value if isinstance(value, (tuple, list)) else [value]) if isinstance(x, Tensor)]
    return found


def _arguments(func: Any) -> Any:
    return schema_of(func).arguments


@cache
def why_not(func: Any) -> str | None:
    """Return why calls of an operator may never be repeated, or None if they may."""
    if is_collective(func):
        return None
    if func.namespace not in _OURS:
        return f"it calls an unknown operator (`{func}`)"
    if schema_of(func).name.partition("::")[2] in _NOT_REPEATED:
        return f"it calls an operator that may read values behind torch's back, or does more than compute (`{func}`)"
    if torch.Tag.inplace_view in func.tags:
        return f"it changes the shape of a tensor in place (`{func}`)"
    if torch.Tag.maybe_aliasing_or_mutating in func.tags:
        return f"it calls an operator that may change its arguments (`{func}`)"
    return None


def why_not_of_values(func: Any, args: Any) -> str | None:
    """Return why a call with variable arguments may not be repeated, or None if it may."""
    if torch.Tag.data_dependent_output in func.tags or _gives_numbers(func):
        return f"Python looks at a value that was computed (`{func}`)"
    if func is aten.as_strided.default and args[3:] not in ((), (None,)):
        return "it views memory at an offset (`as_strided` with an offset)"
    if torch.Tag.dynamic_output_shape in func.tags and not _has_fixed_shape(func, args):
        return f"the shape of a result depends on values (`{func}`)"
    return None


@cache
def _gives_numbers(func: Any) -> bool:
    """Return whether a call returns numbers or flags to Python, and no tensor."""
    returns = schema_of(func).returns
    name = schema_of(func).name.partition("::")[2]
    return bool(returns) and name not in _NUMBERS_BY_SHAPE and not any("Tensor" in str(r.type) for r in returns)


def _has_fixed_shape(func: Any, args: Any) -> bool:
    """Return whether a call indexes with integers, so that its result has the shape of the indices."""
    if func.overloadpacket is not aten.index:
        return False
    return all(index is None or index.dtype not in (torch.bool, torch.uint8) for index in args[1])
