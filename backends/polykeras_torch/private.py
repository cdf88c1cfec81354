"""Every private name of torch that this backend uses, each with what happens without it.

Operators of `torch.ops.aten` without an underscore are no private names: their schemas stay from release to release.
Those that are called by themselves, as kernels whose arguments nobody documents, are here all the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from polykeras import fast
from polykeras.backend.private_names import find

# ---- what nothing is recorded without --------------------------------------------------------------------------------

NEEDED = {
    name: find(name)
    for name in (
        "torch.utils._python_dispatch:TorchDispatchMode",  # sees operators below autograd
        "torch:UntypedStorage._cdata",  # tells memory apart, that of empty tensors too
        "torch:Tensor._version",  # counts changes in place, by which a constant is known to be out of date
        "torch:ops.aten.add.Tensor._schema",  # says what a call of an operator changes in place
        "torch._C:_len_torch_dispatch_stack",  # tells of other modes that look on
        "torch._C:_functorch.peek_interpreter_stack",  # tells of `torch.func`
    )
}
"""What a recorder is made of, by name; None where there is no such thing."""

LACKING = [name for name, found in NEEDED.items() if found is None]


def can_record() -> bool:
    """Return whether functions are recorded; without one of these names none is, which a warning tells once.

    All then runs as with `POLYKERAS_FAST=0`.
    """
    if LACKING:
        _warn_of_plain_steps()
    return fast.enabled() and not LACKING


@cache
def _warn_of_plain_steps() -> None:
    warnings.warn(
        f"On torch {torch.__version__} compiled functions run as plain Python, more slowly: this release lacks "
        f"{', '.join(LACKING)}. Install one of those that `polykeras.backends()` says were tested.",
        RuntimeWarning,
        stacklevel=2,
    )


class DispatchMode(NEEDED["torch.utils._python_dispatch:TorchDispatchMode"] or object):  # type: ignore[misc]
    """The mode that sees operators below autograd."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler on entry, half a second, in order to keep it out of this mode


def _always() -> bool:
    return True


_peek = NEEDED["torch._C:_functorch.peek_interpreter_stack"]
is_transformed: Callable[[], bool] = _always if _peek is None else lambda: _peek() is not None
"""Return whether `torch.func` transforms what runs now: kernels outside of its rules are not to be called then.

Without the name nobody can tell: composites run in place of such kernels, and nothing is recorded.
"""

count_modes: Callable[[], int] = NEEDED["torch._C:_len_torch_dispatch_stack"] or (lambda: 0)
"""Return how many dispatch modes look on."""

version_of: Callable[[Tensor], int] = attrgetter("_version") if NEEDED["torch:Tensor._version"] else lambda tensor: 1
"""Return how often a tensor was changed in place; without the name as if it had been, so that callers copy."""


def storage_of(tensor: Tensor) -> int:
    """Return what identifies the memory under a tensor, as long as one of its tensors lives.

    Without the name it is the address, which is the same for all empty ones: some are copied for nothing.
    """
    storage = tensor.untyped_storage()
    return storage._cdata if not LACKING else storage.data_ptr()


def schema_of(op: Any) -> Any:
    """Return the schema of an operator's overload, which a recorder asks for."""
    return op._schema


# ---- what makes it faster --------------------------------------------------------------------------------------------

StorageReference: Callable[[Any], Any] = find(
    "torch.multiprocessing.reductions:StorageWeakRef",
    lambda storage: storage,  # holds the memory itself: a recorded step takes more of it than a plain one
)
"""Holds the number of a storage, so that no other one gets it, but not its memory."""

below_autograd: Callable[[], Any] = find("torch._C:_AutoDispatchBelowAutograd", torch.enable_grad)
"""A context in which kernels are called without a look at autograd; otherwise it looks, and finds nothing to do.

No tensor in there asks for a gradient. Some kernels keep what their gradients need where gradients are enabled alone.
"""

without_functions: Callable[[], Any] = find("torch._C:DisableTorchFunction", nullcontext)
"""A context in which nobody's `__torch_function__` is asked; otherwise the recorder's own is, which lets all pass."""

_has_callables = find("torch:ops.aten.add.Tensor._op") is not None


def callable_of(op: Any) -> Callable[..., Any]:
    """Return the function within an overload of an operator, or the overload itself, which calls it."""
    return op._op if _has_callables else op


# ---- kernels, without which the contract's composites run ------------------------------------------------------------

FUSED_ADAM: Any = find("torch:ops.aten._fused_adam_.tensor_lr")
FUSED_SGD: Any = find("torch:ops.aten._fused_sgd_.tensor_lr")
BATCH_NORM: Any = find("torch:ops.aten.native_batch_norm")
BATCH_NORM_BACKWARD: Any = find("torch:ops.aten.native_batch_norm_backward")
BINARY_CROSSENTROPY_BACKWARD: Any = find("torch:ops.aten.binary_cross_entropy_backward")
LSTM: Any = find("torch:ops.aten.mkldnn_rnn_layer")
LSTM_BACKWARD: Any = find("torch:ops.aten.mkldnn_rnn_layer_backward")
FLATTEN: Any = find("torch:ops.aten.flatten_dense_tensors.default")
