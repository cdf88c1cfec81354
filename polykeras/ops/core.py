"""Conversion, control flow and transformations of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

import numpy as np

from polykeras import dtypes, tree
from polykeras.backend import Backend, registry
from polykeras.backend.door import Handle, Symbolic, bind, convert, find_symbolic
from polykeras.backend.normalization import refuse_sparse
from polykeras.backend.spec import Array

__all__ = [
    "associative_scan",
    "cast",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "device",
    "dtype",
    "fori_loop",
    "is_tensor",
    "jvp",
    "map",
    "rearrange",
    "remat",
    "saturate_cast",
    "scan",
    "shape",
    "stop_gradient",
    "switch",
    "unstack",
    "vectorize",
    "vectorized_map",
    "while_loop",
]

P = ParamSpec("P")
R = TypeVar("R")

cast = bind(Backend.cast)
saturate_cast = bind(Backend.saturate_cast)
stop_gradient = bind(Backend.stop_gradient)
unstack = bind(Backend.unstack)
rearrange = bind(Backend.rearrange)


def _arrays(structure: Any) -> Any:
    """Return a tree with its leaves (variables, numbers, lists of a framework's arrays) as arrays."""
    backend = registry.current()
    return tree.map_structure(lambda leaf: convert(backend, leaf), structure)


def _returning_arrays(fn: Callable[P, Any]) -> Callable[P, Any]:
    """Return `fn`, with the variables among its results read."""
    return lambda *args, **kwargs: _arrays(fn(*args, **kwargs))


def _gives_way(function: Callable[P, R]) -> Callable[P, R]:
    """Hand the call over to a symbolic argument, where there is one."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        symbolic = find_symbolic((*args, *kwargs.values()))
        return function(*args, **kwargs) if symbolic is None else symbolic.apply_op(wrapper, args, kwargs)

    return wrapper


# ---- what an array is ----------------------------------------------------------------------------------------------


@_gives_way
def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Array:
    """Return `x` as an array of the current backend.

    Args:
        x: an array of any framework, a variable, a number or a nested list.
        dtype: of the result; by default that of `x`, for Python floats the default float dtype.
        sparse: refused.
        ragged: refused.
    """
    refuse_sparse(sparse, "convert_to_tensor")
    if ragged:
        raise ValueError("convert_to_tensor: there are no ragged arrays on any backend; leave `ragged` out.")
    backend = registry.current()
    name = None if dtype is None else dtypes.standardize_dtype(dtype)
    if isinstance(x, Handle) or backend.is_tensor(x):
        array = convert(backend, x)
        return array if name is None or backend.dtype(array) == name else backend.cast(array, name)
    return backend.asarray(x, name)


def convert_to_numpy(x: Any) -> np.ndarray:
    """Return `x` as a NumPy array; waits for its computation.

    Raises:
        TypeError: `x` has no values: it is symbolic, or inside a compiled function.
    """
    if isinstance(x, Symbolic):
        raise TypeError(f"A symbolic tensor has no values: {x!r}. Call the model on arrays and convert its result.")
    backend = registry.current()
    return backend.to_numpy(convert(backend, x))


def is_tensor(x: Any) -> bool:
    """Return whether `x` is an array of the current backend, traced or not."""
    return registry.current().is_tensor(x)


def shape(x: Any) -> tuple[int, ...]:
    """Return the shape of `x`: ints. Only a `KerasTensor`, outside of layers, may have None for an unknown size."""
    if isinstance(x, (Symbolic, Handle)):
        return tuple(x.shape)  # type: ignore[union-attr]
    backend = registry.current()
    return backend.shape(convert(backend, x))


def dtype(x: Any) -> str:
    """Return the dtype of `x` by name."""
    if isinstance(x, (Symbolic, Handle)):
        return x.dtype  # type: ignore[union-attr]
    backend = registry.current()
    return backend.dtype(convert(backend, x))


def device(device_name: str) -> AbstractContextManager[None]:
    """Return a context in which the current backend makes new arrays on a device, such as `"cpu:0"` or `"gpu:1"`."""
    return registry.current().device_scope(device_name)


# ---- control flow --------------------------------------------------------------------------------------------------


@_gives_way
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Return the result of one of two functions, of which a compiled function contains both.

    Args:
        pred: a bool scalar.
        true_fn: takes nothing, returns a tree of arrays.
        false_fn: returns a tree of the same structure, shapes and dtypes.
    """
    pred = pred if isinstance(pred, bool) else _arrays(pred)
    return registry.current().cond(pred, _returning_arrays(true_fn), _returning_arrays(false_fn))


@_gives_way
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Return `branches[index](*operands)`; an index outside the list is moved to its nearer end."""
    functions = [_returning_arrays(branch) for branch in branches]
    return registry.current().switch(_arrays(index), functions, *_arrays(operands))


@_gives_way
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds.

    Args:
        cond: returns a bool scalar.
        body: returns values of the same structure, shapes and dtypes.
        loop_vars: a tuple or list (unpacked into arguments), or one array.
        maximum_iterations: an upper bound.
    """
    backend = registry.current()
    return backend.while_loop(_returning_arrays(cond), _returning_arrays(body), _arrays(loop_vars), maximum_iterations)


@_gives_way
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Repeat `val = body_fun(i, val)` for `i` from `lower` to `upper - 1`.

    Differentiable where both bounds are Python ints.
    """
    lower, upper = (x if isinstance(x, int) else _arrays(x) for x in (lower, upper))
    return registry.current().fori_loop(lower, upper, _returning_arrays(body_fun), _arrays(init_val))


@_gives_way
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Carry a value along the first axis of `xs`: `carry, y = f(carry, x)` for each slice.

    Args:
        f: takes and returns trees of arrays; the carry keeps structure, shapes and dtypes. `y` may be None.
        init: the first carry.
        xs: a tree of arrays with one length, or None with `length`.
        length: the number of steps where `xs` is None.
        reverse: run from the last slice to the first; the ys stay at the places of their xs.
        unroll: a hint.

    Returns:
        `(carry, ys)`, the ys stacked along a new first axis.
    """
    return registry.current().scan(_returning_arrays(f), _arrays(init), _arrays(xs), length, reverse, unroll)


@_gives_way
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Apply `f` to each slice along the first axis of (the arrays of the tree) `xs`, one after the other."""
    return registry.current().map(_returning_arrays(f), _arrays(xs))


@_gives_way
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Return all prefixes of a reduction by an associative function: `[a, f(a, b), f(f(a, b), c), ...]`.

    Args:
        f: takes two trees like `elems`, of any one length along `axis`, and returns such a tree.
        elems: a tree of arrays of one length along `axis`.
        reverse: combine from the end.
        axis: the axis to scan along.

    Example:
        >>> from polykeras import ops
        >>> ops.convert_to_numpy(associative_scan(ops.maximum, ops.array([1, 3, 2])))
        array([1, 3, 3], dtype=int32)
    """
    return registry.current().associative_scan(_returning_arrays(f), _arrays(elems), reverse, axis)


# ---- transformations -----------------------------------------------------------------------------------------------


@_gives_way
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Apply `function` to each slice along the first axis of (the arrays of the tree) `elements`, all at once."""
    return registry.current().vectorized_map(_returning_arrays(function), _arrays(elements))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose gradient the caller defines, on whichever backend is current.

    Args:
        f: takes arrays and returns `(output, grad)`; `grad(*upstream)`, or `grad(upstream=...)`, takes the gradient
            of the output(s) and returns that of each argument (one array, or a tuple).
    """

    @functools.wraps(f)
    @_gives_way
    def wrapper(*args: Any) -> Any:
        return registry.current().custom_gradient(f)(*_arrays(args))

    return wrapper


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return `f` so that its intermediate values are computed again in the backward pass, not kept."""

    @functools.wraps(f)
    @_gives_way
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return registry.current().remat(functools.partial(_returning_arrays(f), **kwargs))(*_arrays(args))

    return wrapper


@_gives_way
def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """Return the value of `fun` and its derivative in one direction.

    Args:
        fun: takes the primals, returns a tree of float arrays; `(tree, aux)` with `has_aux`.
        primals: float arrays.
        tangents: the direction, of the shapes of `primals`.
        has_aux: whether `fun` returns more than is differentiated.

    Returns:
        `(value, derivative)`, or `(value, derivative, aux)`.

    Example:
        >>> from polykeras import ops
        >>> value, slope = jvp(ops.square, (3.0,), (1.0,))
        >>> float(value), float(slope)
        (9.0, 6.0)
    """

    def with_aux(*args: Any) -> tuple[Any, Any]:
        result = fun(*args)
        return (_arrays(result[0]), result[1]) if has_aux else (_arrays(result), None)

    result = registry.current().jvp(with_aux, _arrays(list(primals)), _arrays(list(tangents)), has_aux=True)
    return result if has_aux else result[:2]


def _core_axes(signature: str | None, count: int) -> list[int]:
    """Return how many axes of each argument a function takes for itself, as in `"(m,n),(n)->(m)"`."""
    if signature is None:
        return [0] * count
    inputs = signature.replace(" ", "").partition("->")[0]
    axes = [len([name for name in part.split(",") if name]) for part in inputs.strip("()").split("),(")]
    if len(axes) != count:
        raise ValueError(f"vectorize: the signature {signature!r} has {len(axes)} arguments; received {count}.")
    return axes


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: set[int] | None = None, signature: str | None = None
) -> Callable[..., Any]:
    """Return a function of arrays that applies `pyfunc` to all of their elements, with broadcasting.

    Args:
        pyfunc: takes scalars, or arrays with the axes that `signature` names; returns a tree of arrays.
        excluded: places of arguments that are passed on as they are. Keyword arguments always are.
        signature: the axes that belong to one call, such as `"(m,n),(n)->(m)"`.

    Example:
        >>> from polykeras import ops
        >>> ops.convert_to_numpy(vectorize(ops.dot, signature="(n),(n)->()")([[1, 2], [3, 4]], [1, 1]))
        array([3, 7], dtype=int32)
    """
    left_out = excluded or set()

    @functools.wraps(pyfunc)
    @_gives_way
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        backend = registry.current()
        places = [i for i in range(len(args)) if i not in left_out]
        arrays = [convert(backend, args[i]) for i in places]
        cores = _core_axes(signature, len(places))
        shapes = [backend.shape(x) for x in arrays]
        loops = [s[: len(s) - core] for s, core in zip(shapes, cores, strict=True)]
        loop = np.broadcast_shapes(*loops)

        def call(parts: tuple[Array, ...]) -> Any:
            values = list(args)
            for i, part in zip(places, parts, strict=True):
                values[i] = part
            return _arrays(pyfunc(*values, **kwargs))

        if not loop:
            return call(tuple(arrays))
        rows = []
        for x, s, core in zip(arrays, shapes, cores, strict=True):
            inner = s[len(s) - core :]
            rows.append(backend.reshape(backend.broadcast_to(x, (*loop, *inner)), (int(np.prod(loop)), *inner)))
        results = backend.vectorized_map(call, tuple(rows))
        return tree.map_structure(lambda y: backend.reshape(y, (*loop, *backend.shape(y)[1:])), results)

    return wrapper
