"""Transformations of functions: vectorization, differentiation, custom gradients, rematerialization."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.backend.handles import convert
from polykeras.backend.scopes import Scope
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.ops.by_hand import as_arrays, gives_way, returning_arrays

__all__ = [
    "custom_gradient",
    "grad",
    "jvp",
    "remat",
    "vectorize",
    "vectorized_map",
]


@gives_way
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Apply `function` to each slice of the arrays in the tree `elements`, along the first axis, all at once.

    Args:
        function: takes one slice, a tree like `elements` without the first axis, and returns a tree of arrays.
        elements: arrays of one length along the first axis, in a tree.

    Returns:
        The results, stacked along a new first axis.
    """
    return registry.current().vectorized_map(returning_arrays(function), as_arrays(elements))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose gradient the caller defines, on any backend.

    Args:
        f: takes arrays and returns `(output, grad)`. `grad(*upstream)`, or `grad(upstream=...)`, takes the gradient of
            the output(s) and returns the gradient of each argument (one array, or a tuple).
    """

    @functools.partial(gives_way, made_of=f)
    def wrapper(*args: Any) -> Any:
        return registry.current().custom_gradient(f)(*as_arrays(args))

    return wrapper


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return `f`, changed to compute its intermediate values again in the backward pass instead of keeping them."""

    @functools.partial(gives_way, made_of=f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return registry.current().remat(functools.partial(returning_arrays(f), **kwargs))(*as_arrays(args))

    return wrapper


@gives_way
def jvp(
    fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """Return the value of `fun` and its directional derivative.

    Args:
        fun: takes the primals, returns a tree of float arrays; `(tree, aux)` with `has_aux`.
        primals: float arrays.
        tangents: the direction, of the shapes of `primals`.
        has_aux: whether `fun` returns a second result, which is not differentiated.

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
        return (as_arrays(result[0]), result[1]) if has_aux else (as_arrays(result), None)

    result = registry.current().jvp(with_aux, as_arrays(list(primals)), as_arrays(list(tangents)), has_aux=True)
    return result if has_aux else result[:2]


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that computes the gradient of the sum of what `f` returns.

    `polykeras.grad` differentiates by variables too.

    Args:
        f: returns one float array of any shape.
        argnums: which positional arguments to differentiate by: arrays, variables, or trees of them.

    Returns:
        A function of the arguments of `f` that returns the gradient by an argument, or a tuple of them for several. It
        is 0 where the result does not depend on an argument.

    Example:
        >>> from polykeras import ops
        >>> float(grad(ops.square)(3.0))
        6.0
    """
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.partial(gives_way, made_of=f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        backend = registry.current()
        leaves, definition = nested.flatten_with_def(tuple(args[place] for place in places))
        written: list[Any] = []

        def total(values: list[Any]) -> tuple[Array, list[Any]]:
            given = list(args)
            for place, part in zip(places, nested.unflatten(definition, values), strict=True):
                given[place] = part
            with Scope() as scope:  # what `f` assigns to variables leaves the gradient as a result
                result = backend.sum(convert(backend, f(*given, **kwargs)))
            written[:], updates = scope.updates()
            return result, updates

        _, updates, gradients = backend.value_and_grad(total, [convert(backend, leaf) for leaf in leaves])
        for variable, update in zip(written, updates, strict=True):
            variable.assign(update)
        found = nested.unflatten(definition, gradients)
        return found[0] if isinstance(argnums, int) else found

    return wrapper


def _core_axes(signature: str | None, count: int) -> list[int]:
    """Return how many axes of each argument belong to one call of a function, as in `"(m,n),(n)->(m)"`."""
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
        excluded: the indices of arguments that are passed on unchanged, as keyword arguments always are.
        signature: the axes that belong to one call, such as `"(m,n),(n)->(m)"`.

    Example:
        >>> from polykeras import ops
        >>> ops.convert_to_numpy(vectorize(ops.dot, signature="(n),(n)->()")([[1, 2], [3, 4]], [1, 1]))
        array([3, 7], dtype=int32)
    """
    left_out = excluded or set()

    @functools.partial(gives_way, made_of=pyfunc)
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
            return as_arrays(pyfunc(*values, **kwargs))

        if not loop:
            return call(tuple(arrays))
        rows = []
        for x, s, core in zip(arrays, shapes, cores, strict=True):
            inner = s[len(s) - core :]
            rows.append(backend.reshape(backend.broadcast_to(x, (*loop, *inner)), (int(np.prod(loop)), *inner)))
        results = backend.vectorized_map(call, tuple(rows))
        return nested.map_structure(lambda y: backend.reshape(y, (*loop, *backend.shape(y)[1:])), results)

    return wrapper
