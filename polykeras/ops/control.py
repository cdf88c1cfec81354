"""Control flow: branches and loops in compiled functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras.backend import registry
from polykeras.common.types import ArrayLike
from polykeras.ops.by_hand import as_arrays, gives_way, returning_arrays

__all__ = [
    "associative_scan",
    "cond",
    "fori_loop",
    "map",
    "scan",
    "switch",
    "while_loop",
]


@gives_way
def cond(pred: ArrayLike, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Return the result of one of two functions. A compiled function contains both.

    Args:
        pred: a bool scalar.
        true_fn: called without arguments; returns a tree of arrays.
        false_fn: returns a tree of the same structure, shapes and dtypes.
    """
    if isinstance(pred, bool):
        return returning_arrays(true_fn if pred else false_fn)()
    return registry.current().cond(as_arrays(pred), returning_arrays(true_fn), returning_arrays(false_fn))


@gives_way
def switch(index: ArrayLike, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Return `branches[index](*operands)`; an index out of range is moved to the nearer end.

    Args:
        index: an int, or an int32 scalar array.
        branches: functions of the operands, whose results have one structure, shapes and dtypes.
        *operands: arrays, or trees of them.
    """
    functions = [returning_arrays(branch) for branch in branches]
    return registry.current().switch(as_arrays(index), functions, *as_arrays(operands))


@gives_way
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds.

    Args:
        cond: returns a bool scalar.
        body: returns values of the same structure, shapes and dtypes.
        loop_vars: a tuple or list (unpacked into arguments), or one array.
        maximum_iterations: an upper bound of the number of iterations.

    Returns:
        The last `loop_vars`.
    """
    backend = registry.current()
    return backend.while_loop(returning_arrays(cond), returning_arrays(body), as_arrays(loop_vars), maximum_iterations)


@gives_way
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Repeat `val = body_fun(i, val)` for `i` from `lower` to `upper - 1`.

    Differentiable if both bounds are Python ints.

    Args:
        lower: the first `i`: an int, or an int32 scalar array.
        upper: the end, exclusive, like `lower`.
        body_fun: takes `i` and a tree like `init_val`, and returns such a tree.
        init_val: arrays, in a tree.

    Returns:
        The last `val`.
    """
    lower, upper = (x if isinstance(x, int) else as_arrays(x) for x in (lower, upper))
    return registry.current().fori_loop(lower, upper, returning_arrays(body_fun), as_arrays(init_val))


@gives_way
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
        length: the number of steps if `xs` is None.
        reverse: run from the last slice to the first; each `y` stays at the index of its slice.
        unroll: a hint.

    Returns:
        `(carry, ys)`, with all `y` stacked along a new first axis.
    """
    return registry.current().scan(returning_arrays(f), as_arrays(init), as_arrays(xs), length, reverse, unroll)


@gives_way
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Apply `f` to each slice of the arrays in the tree `xs`, along the first axis, one after the other.

    Args:
        f: takes one slice, a tree like `xs` without the first axis, and returns a tree of arrays.
        xs: arrays of one length along the first axis, in a tree.

    Returns:
        The results, stacked along a new first axis.
    """
    return registry.current().map(returning_arrays(f), as_arrays(xs))


@gives_way
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
    return registry.current().associative_scan(returning_arrays(f), as_arrays(elems), reverse, axis)
