"""The first values of variables: when they are made, and in which dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import registry
from polykeras.backend.handles import Handle
from polykeras.backend.scopes import outside_scopes
from polykeras.common import budget
from polykeras.common.supplied import Supplied

named_initializer: Supplied[Callable[[Any], Any]] = Supplied("named_initializer", by="polykeras.initializers")
"""Return the initializer of a name, for `Variable("uniform", shape)`."""

_deferring: ContextVar[bool] = ContextVar("polykeras_deferring", default=False)


@contextmanager
def values_deferred() -> Iterator[None]:
    """Within this context new variables take no memory, because their values are about to be read from a file.

    The initializer of a variable that the file does not hold runs when the value is first needed.
    """
    token = _deferring.set(True)
    try:
        yield
    finally:
        _deferring.reset(token)


def check_sizes(shape: Sequence[int]) -> None:
    """Check the shape of a new variable, if a file asks for it.

    Raises:
        ValueError: the sizes are no whole numbers, or larger than a file may ask for.
    """
    if _deferring.get() and not all(isinstance(n, (int, np.integer)) for n in shape):
        raise ValueError(f"The shape of a variable consists of whole numbers; received {tuple(shape)}.")
    if budget.left.get() is not None:
        budget.check_size(shape, type(None))


def can_wait(initializer: Any, shape: Sequence[int]) -> bool:
    """Return whether an initializer may run later: it gives the same value then, or is not expected to be needed.

    Args:
        initializer: that of a variable.
        shape: of the variable.
    """
    waits = getattr(initializer, "deferrable", False) is True or (_deferring.get() and callable(initializer))
    return waits and all(type(n) is int and n >= 0 for n in shape)


def initial_value(initializer: Any, shape: Sequence[int] | None, dtype: str | None, name: str) -> np.ndarray:
    """Return the first value of a variable on the host. The arguments are those of `Variable`.

    Raises:
        ValueError: a function without a shape of known sizes, or a value of another shape.
    """
    if isinstance(initializer, Handle):
        initializer = np.asarray(initializer)
    if callable(initializer):
        if shape is None:
            raise ValueError(f"Variable {name!r}: an initializer that is a function needs `shape`; received None.")
        sizes = tuple(shape)
        if any(n is None for n in sizes):
            raise ValueError(f"Variable {name!r} needs a shape without unknown dimensions; received {sizes}.")
        # What it draws from a seed generator is drawn for good, as the variable is there for good.
        with registry.use_backend("numpy"), outside_scopes():
            initializer = initializer(tuple(int(n) for n in sizes), dtype=dtype or dtypes.standardize_dtype(None))
    host = _on_host(initializer)
    if dtype is None:
        dtype = _implied_dtype(initializer, host)
    host = np.array(host, dtype=dtypes.numpy_dtype(dtype) if dtype else None)
    if shape is not None and tuple(shape) != host.shape:
        raise ValueError(f"Variable {name!r}: expected a value of shape {tuple(shape)}; received {host.shape}.")
    return host


def _on_host(value: Any) -> np.ndarray:
    if isinstance(value, (np.ndarray, bool, int, float, complex, list, tuple)):
        return np.asarray(value)  # without a look at the current backend, whose framework need not be loaded yet
    backend = registry.current()
    return backend.to_numpy(value) if backend.is_tensor(value) else np.asarray(value)


def _implied_dtype(value: Any, host: np.ndarray) -> str | None:
    """The dtype of a variable that is given none; None for that of `host`."""
    if not hasattr(value, "dtype"):
        return dtypes.result_type(dtypes.weak(host.flat[0].item())) if host.size else dtypes.standardize_dtype(None)
    if host.dtype.itemsize < 8:
        return None
    backend = registry.current()
    return backend.dtype(backend.asarray(host))
