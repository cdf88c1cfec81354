"""The numpy backend: it needs only NumPy and autograd, and is the reference for values and gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.written_gradients import WrittenGradients
from polykeras.common import nested
from polykeras_numpy.activations import NumpyActivations
from polykeras_numpy.arrays import NumpyArrays, seen_bfloat16
from polykeras_numpy.autodiff import NumpyAutodiff
from polykeras_numpy.collectives import NumpyCollectives
from polykeras_numpy.control import NumpyControl
from polykeras_numpy.convolution import NumpyConvolution
from polykeras_numpy.elementwise import NumpyElementwise
from polykeras_numpy.execution import NumpyExecution
from polykeras_numpy.fourier import NumpyFourier
from polykeras_numpy.indexing import NumpyIndexing
from polykeras_numpy.linalg import NumpyLinalg
from polykeras_numpy.reduction import NumpyReduction
from polykeras_numpy.shaping import NumpyShaping

B = TypeVar("B", bound=type[Backend])

_MOVES = frozenset(vars(Shaping)) | {"shape", "ndim", "size", "full", "zeros", "ones", "zeros_like", "ones_like"}
"""Ops that compute nothing, and so are not guarded."""
_WIDE = ("ctc_loss", "ctc_decode")
"""Ops whose floats have at least 32 bits."""


def _narrowed(backend: Backend, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return `result` with wider floats cast to bfloat16, if bfloat16 was requested or is the dtype of an argument.

    With a Python scalar, the bfloat16 of ml_dtypes becomes float32 or float64.
    """
    leaves = nested.flatten((args, kwargs))
    asked = [x for x in leaves if type(x) is str and x in dtypes.ALL]
    if "bfloat16" not in (asked or [backend.dtype(x) for x in leaves if backend.is_tensor(x)]):
        return result

    def narrow(x: Any) -> Any:
        wide = backend.is_tensor(x) and backend.dtype(x) in ("float32", "float64")
        return backend.cast(x, "bfloat16") if wide else x

    return nested.map_structure(narrow, result)


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return an op that does not warn of infinities, nans or integer overflow, which the contract defines.

    Composites are guarded too, since they use Python's operators.
    """

    @np.errstate(all="ignore")
    @functools.wraps(method)
    def run(self: Backend, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        narrows = method.__name__ not in _WIDE and seen_bfloat16()
        return _narrowed(self, result, args, kwargs) if narrows else result

    return run


def _guard_ops(cls: B) -> B:
    for name in dir(Backend):
        if hasattr(getattr(Backend, name), "__op__") and name not in _MOVES:
            setattr(cls, name, _guarded(getattr(cls, name)))
    return cls


@_guard_ops
class NumpyBackend(
    NumpyArrays,
    NumpyShaping,
    NumpyIndexing,
    NumpyElementwise,
    NumpyReduction,
    NumpyLinalg,
    NumpyFourier,
    NumpyActivations,
    NumpyConvolution,
    WrittenGradients,
    NumpyAutodiff,
    NumpyControl,
    NumpyCollectives,
    NumpyExecution,
    Backend,
):
    """Arrays in host memory, computed in one Python thread, and autograd's tape."""

    name = "numpy"
    version = np.__version__
