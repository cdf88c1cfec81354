"""Dispatch from users to a backend. Conversion, dtype promotion and symbolic arguments are handled here, once.

`bind` turns a method of the contract into a public function. The function finds the current backend, converts each
array argument, brings the arrays to their common dtype, and calls the method. An argument may be a `Handle` (an object
that has an array, such as a variable) or a `Symbolic` (an object that has only a shape and takes over the call).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from polykeras import dtypes
from polykeras.backend import registry
from polykeras.backend.handles import Handle, Symbolic, convert, find_symbolic, flat
from polykeras.backend.spec import OpSpec
from polykeras.dtypes import SCALARS

if TYPE_CHECKING:
    from polykeras.backend.base import Backend

P = ParamSpec("P")
R = TypeVar("R")


_INEXACT = frozenset(dtypes.FLOATS + dtypes.COMPLEX)


class _Promotion:
    """Converts the array arguments of one call."""

    __slots__ = ("backend", "promote")

    def __init__(self, backend: Backend, promote: str) -> None:
        self.backend = backend
        self.promote = promote

    def _convert(self, value: Any) -> Any:
        """An array; or a Python scalar, which has no dtype of its own yet. A float of NumPy's counts as Python's."""
        if type(value) in SCALARS:
            return value
        weak = isinstance(value, float) and not self.backend.is_tensor(value)
        return float(value) if weak else convert(self.backend, value)

    def prepare(self, value: Any, several: bool) -> Any:
        if several and isinstance(value, (list, tuple)):
            return [self._convert(part) for part in value]
        return self._convert(value)

    def dtype_of(self, values: list[Any]) -> str:
        values = flat(values)
        scalars = [type(v) in SCALARS or isinstance(v, float) for v in values]
        if all(scalars):  # a float of NumPy's is an array of the numpy backend; it counts as one beside scalars
            scalars = [type(v) in SCALARS for v in values]
        given = [dtypes.weak(v) if s else self.backend.dtype(v) for s, v in zip(scalars, values, strict=True)]
        result = dtypes.result_type(*given)
        if self.promote == "float":
            result = dtypes.float_type(result)
        elif self.promote == "number":
            result = dtypes.number_type(result)
        if result in dtypes.NARROWER and result in self.backend.unsupported_dtypes:
            return dtypes.NARROWER[result]  # for instance, uint32 and int8 give int64, which JAX may lack
        return result

    def finish(self, value: Any, dtype: str, keep_scalar: bool) -> Any:
        if isinstance(value, list):
            return [self.finish(part, dtype, False) for part in value]
        if type(value) in SCALARS:
            return value if keep_scalar else self.backend.asarray(value, dtype)
        return value if self.backend.dtype(value) == dtype else self.backend.cast(value, dtype)


def _check_integers(backend: Backend, indices: Any, name: str) -> None:
    dtype = backend.dtype(indices)
    if dtype in _INEXACT and 0 not in backend.shape(indices):  # an empty list has no integer dtype of its own
        raise TypeError(f"`{name}` must be integers; received {dtype}. Cut or round them by ops.cast(x, 'int32').")


def _converter(spec: OpSpec, names: list[str], sequences: set[str], var_positional: str | None) -> Callable[..., Any]:
    """Return `prepare(backend, args, kwargs)`, which converts arguments in place. Array positions are computed once."""
    places = [(names.index(name), name, name in spec.arrays) for name in names if name in spec.converted]
    variadic = var_positional in spec.arrays
    first_variadic = len(names)

    def prepare(backend: Backend, args: list[Any], kwargs: dict[str, Any]) -> None:
        promotion = _Promotion(backend, spec.promote)
        slots: list[tuple[Any, Any]] = []  # (container, key) of each array that takes part in promotion
        for place, name, promotes in places:
            container: Any = args if place < len(args) else kwargs
            key: Any = place if container is args else name
            if (container is kwargs and name not in kwargs) or container[key] is None:
                continue
            if promotes:
                container[key] = promotion.prepare(container[key], name in sequences)
                slots.append((container, key))
            else:
                container[key] = convert(backend, container[key])
                if name in spec.indices:
                    _check_integers(backend, container[key], name)
        if variadic:
            for i in range(first_variadic, len(args)):
                args[i] = promotion.prepare(args[i], False)
                slots.append((args, i))
        if spec.promote == "keep":
            for container, key in slots:
                value = container[key]
                if isinstance(value, list):
                    container[key] = [convert(backend, part) for part in value]
                elif type(value) in SCALARS:
                    container[key] = backend.asarray(value)
            return
        if not slots:
            return
        dtype = promotion.dtype_of([container[key] for container, key in slots])
        # One array may stay a Python scalar beside another that is not: frameworks are fastest so.
        arrays = sum(type(container[key]) not in SCALARS for container, key in slots)
        for container, key in slots:
            container[key] = promotion.finish(container[key], dtype, keep_scalar=arrays > 0 and len(slots) == 2)

    return prepare


def _has_numpy_int(values: Iterable[Any], named: Mapping[str, Any]) -> bool:
    """Return whether a parameter, such as an axis that a program computed, is an int of NumPy's."""
    return any(isinstance(value, np.integer) for value in (*values, *named.values()))


def _make_python_ints(container: Any, keys: Iterable[Any]) -> None:
    """Put Python's ints in the place of NumPy's."""
    for key in keys:
        if isinstance(container[key], np.integer):
            container[key] = int(container[key])


def _unary(name: str, promote: str, general: Callable[..., Any]) -> Callable[..., Any]:
    """Return an op of one array, with a shortcut for arrays that need no conversion.

    The shortcut needs no switch of `fast`: the same method gets the same arguments as from `general`.
    """
    current = registry.current
    keep = promote in ("keep", "common")

    def function(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], Symbolic):
            return general(*args, **kwargs)  # this does not load the current backend
        backend = current()
        ready = args and backend.is_tensor(args[0]) and (keep or backend.dtype(args[0]) in _INEXACT)
        if ready and ((not kwargs and len(args) == 1) or not _has_numpy_int(args[1:], kwargs)):
            return getattr(backend, name)(*args, **kwargs)
        return general(*args, **kwargs)

    return function


def _binary(name: str, general: Callable[..., Any]) -> Callable[..., Any]:
    """Return an op of two arrays, with a shortcut for floats of one dtype, or one such array and a float scalar.

    Layers and losses call these ops all the time, and eager backends feel each microsecond. The shortcut needs no
    switch, as in `_unary`.
    """
    current = registry.current

    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            return general(*args, **kwargs)
        first, second = args[:2]
        if isinstance(first, Symbolic) or isinstance(second, Symbolic):
            return general(*args, **kwargs)  # this does not load the current backend
        backend = current()
        if isinstance(first, Handle):
            first = first.value
        if isinstance(second, Handle):
            second = second.value
        if backend.is_tensor(first):
            dtype = backend.dtype(first)
            same = type(second) is float or (backend.is_tensor(second) and backend.dtype(second) == dtype)
        else:
            same = type(first) is float and backend.is_tensor(second)
            dtype = backend.dtype(second) if same else ""
        if same and dtype in _INEXACT and (len(args) + len(kwargs) == 2 or not _has_numpy_int(args[2:], kwargs)):
            return getattr(backend, name)(first, second, *args[2:], **kwargs)
        return general(*args, **kwargs)

    return function


def _parameters(method: Callable[..., Any]) -> tuple[list[str], str | None]:
    """Return the names of a method's positional parameters without `self`, and the name of its `*args` or None."""
    code = method.__code__
    variadic = (
        code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & inspect.CO_VARARGS else None
    )
    return list(code.co_varnames[1 : code.co_argcount]), variadic


def bind(method: Callable[Concatenate[Any, P], R]) -> Callable[P, R]:
    """Return the public function of a contract method, with its signature and docstring.

    Args:
        method: an op of the contract, as declared by `spec.op` or `spec.required`.
    """
    spec: OpSpec = method.__op__
    name = method.__name__
    names, var_positional = _parameters(method)
    dtype_place = names.index("dtype") if "dtype" in names else None
    # A list is one array, unless the annotation says that it takes several.
    hints = method.__annotations__.items()
    sequences = {parameter for parameter, hint in hints if parameter != "return" and "Sequence[Array]" in str(hint)}
    prepare = _converter(spec, names, sequences, var_positional)
    parameters = {name: place for place, name in enumerate(names) if name not in spec.converted}
    current = registry.current

    def general(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs or any(isinstance(value, (Symbolic, list, tuple)) for value in args):
            symbolic = find_symbolic((*args, *kwargs.values()))
            if symbolic is not None:
                return symbolic.apply_op(function, args, kwargs)
        backend = current()
        values: list[Any] = list(args)
        if dtype_place is not None:
            if dtype_place < len(values):
                if values[dtype_place] is not None:
                    values[dtype_place] = dtypes.standardize_dtype(values[dtype_place])
            elif kwargs.get("dtype") is not None:
                kwargs["dtype"] = dtypes.standardize_dtype(kwargs["dtype"])
        _make_python_ints(values, (place for place in parameters.values() if place < len(values)))
        _make_python_ints(kwargs, kwargs.keys() & parameters.keys())
        prepare(backend, values, kwargs)
        return getattr(backend, name)(*values, **kwargs)

    leading = [place for place, array in enumerate(names) if array in spec.arrays]
    plain = not (spec.others or spec.indices or sequences) and dtype_place is None and var_positional is None
    function: Any = general
    if plain and leading == [0]:
        function = _unary(name, spec.promote, general)
    elif plain and leading == [0, 1] and spec.promote != "keep":
        function = _binary(name, general)
    functools.update_wrapper(function, method)
    function.__module__, function.__qualname__ = "polykeras.ops", name  # users and pickle find it there
    function.__wrapped__ = MethodType(method, function)  # a signature without `self`, made on request
    function.__op_name__ = name
    del function.__op__
    return function
