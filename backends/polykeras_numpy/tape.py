"""The tape: autograd's tracer, with rules of our own where autograd's are missing, wrong or slow.

A rule belongs to a primitive, which is a function that autograd records. Our rules for autograd's primitives apply only
on our tapes, so nothing changes for other users of autograd in the process. `rule(f, vjp_0, vjp_1, ...)` takes one
function for each positional argument: `vjp_i(g, ans, *args, **kwargs)` maps the gradient of the result to that of the
argument. Rules are written in recorded functions, so that gradients can be differentiated again.

Complex numbers follow autograd's convention: a small change `dz` changes the value by `real(sum(g * dz))`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import autograd.numpy
import numpy as np
from autograd.extend import primitive

from polykeras.backend.handles import Handle
from polykeras_numpy.private import (
    ArrayBox,
    SparseObject,
    VJPNode,
    add_outgrads,
    defvjp_argnums,
    isbox,
    new_box,
    notrace_primitives,
    primitive_vjps,
    raw,
    sparse_object_types,
    toposort,
    trace_stack,
    vspace,
)

__all__ = [
    "ArrayBox", "Node", "anp", "backward", "fit", "isbox", "new_box", "new_level", "primitive", "put", "raw", "rule",
    "rule_all", "total",
]  # fmt: skip

anp: Any = autograd.numpy
"""NumPy with recorded functions. Its names are made at run time, so type checkers cannot see them."""

OTHERS = ("jax", "torch", "tensorflow")
"""The backends that can differentiate what this one cannot."""

Vjp = Callable[..., Any]

_rules: dict[Any, Callable[..., Any]] = {}
_level_lock = threading.Lock()


def _no_rule(fun: Any) -> TypeError:
    name = getattr(fun, "__name__", repr(fun)).strip("_")
    return TypeError(
        f"The numpy backend cannot differentiate `{name}` with these arguments. Run it on a backend that can "
        f"({', '.join(OTHERS)}), or keep it out of the gradient with `stop_gradient`."
    )


class Node(VJPNode):
    """One recorded call: the nodes of its arguments, and the function that maps its gradient back to them."""

    __slots__ = ("fun",)

    def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
        self.parents = parents
        self.fun = fun
        maker = _rules.get(fun) or primitive_vjps.get(fun)
        if maker is None:
            raise _no_rule(fun)
        try:
            self.vjp = maker(argnums, value, args, kwargs)
        except NotImplementedError as error:
            raise _no_rule(fun) from error

    @classmethod
    def custom(cls, parents: Sequence[Any], vjp: Callable[[Any], Iterable[Any]], fun: Any = None) -> Node:
        """Return a node with a custom gradient; without parents, it is the start of a tape."""
        node = cls.__new__(cls)
        node.parents, node.vjp, node.fun = parents, vjp, fun
        return node


notrace_primitives[Node] = notrace_primitives[VJPNode]  # values without a gradient in autograd have none here


def rule(fun: Any, *vjps: Vjp) -> None:
    """Declare the gradient of a primitive: one function for each of its first positional arguments."""

    def maker(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Callable[[Any], Iterable[Any]]:
        if len(argnums) == 1:
            vjp = vjps[argnums[0]]
            return lambda g: (vjp(g, ans, *args, **kwargs),)
        return lambda g: [vjps[i](g, ans, *args, **kwargs) for i in argnums]

    _add(fun, maker)


def _add(fun: Any, maker: Callable[..., Any]) -> None:
    _rules[fun] = maker
    if fun not in primitive_vjps:  # this lets autograd's own tapes differentiate through our primitives, too
        defvjp_argnums(fun, maker)


def rule_all(fun: Any, vjp: Vjp) -> None:
    """Declare the gradient of a variadic primitive: `vjp(g, i, ans, *args)` is the gradient of the i-th argument."""
    _add(fun, lambda argnums, ans, args, kwargs: lambda g: [vjp(g, i, ans, *args, **kwargs) for i in argnums])


def new_level() -> int:
    """Return the number of a new tape, larger than the numbers of all tapes so far.

    When a tape ends, autograd counts down again. With several threads, an inner tape could then get the number of its
    outer one, so our numbers only go up.
    """
    with _level_lock:
        trace_stack.top += 1
        return trace_stack.top


_FEW = 128
"""Up to this many numbers are added one by one."""


def _in_pairs(x: np.ndarray) -> np.ndarray:
    """Return the sum of an array `(before, n, after)` over its middle axis."""
    while x.shape[1] > 8:
        half = x.shape[1] // 2
        pairs = x[:, :half] + x[:, half : 2 * half]
        if x.shape[1] % 2:
            pairs[:, 0] += x[:, -1]
        x = pairs
    return x.sum(1)


@primitive
def total(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Return `np.sum` of floats, added in pairs along all axes.

    NumPy adds in pairs along the last axes only, and one by one along others, such as the batch axis in the gradient of
    a bias. For a float32 array `(128, 28, 28, 32)`, summed over all axes except the last, its result is wrong by 5e-6
    (root mean square). Added in pairs it is wrong by 5e-8, and takes half the time.
    """
    if axis is None or (x.ndim < 3 and x.shape[:1] <= (_FEW,)):
        return np.sum(x, axis=axis, keepdims=keepdims)
    axes = sorted(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    lead, last = list(axes), x.ndim
    while lead and lead[-1] == last - 1:
        last = lead.pop()
    if prod(x.shape[a] for a in lead) <= _FEW:
        return np.sum(x, axis=axis, keepdims=keepdims)
    sizes = [*x.shape[:last], *[1] * (x.ndim - last)]
    result = x if last == x.ndim else np.sum(x, axis=tuple(range(last, x.ndim)))
    while lead:
        start = lead.pop()
        stop = start + 1
        while lead and lead[-1] == start - 1:  # merge adjacent axes into one
            start = lead.pop()
        result = _in_pairs(result.reshape(prod(sizes[:start]), prod(sizes[start:stop]), prod(sizes[stop:])))
        sizes[start:stop] = [1] * (stop - start)
    return result.reshape(sizes if keepdims else [n for i, n in enumerate(sizes) if i not in axes])


def fit(g: Any, x: Any) -> Any:
    """Return the gradient of a broadcast operand: summed to the shape of `x`, and real if `x` is real."""
    shape = x.shape
    if g.shape != shape:
        lead = g.ndim - len(shape)
        ones = tuple(lead + i for i, n in enumerate(shape) if n == 1)
        g = anp.reshape(total(g, axis=tuple(range(lead)) + ones), shape)
    if g.dtype.kind == "c" and x.dtype.kind != "c":
        g = anp.real(g)
    return g


def _accumulate(before: tuple[Any, bool] | None, g: Any) -> tuple[Any, bool]:
    """Add gradients that meet in a node; return the sum, and whether its memory may be added into."""
    if type(g) in sparse_object_types:
        return add_outgrads(before, g)
    if before is None:
        return g, False
    total, ours = before
    if type(total) is np.ndarray and type(g) is np.ndarray:
        return np.add(total, g, out=total if ours and total.dtype == g.dtype else None), True
    return add_outgrads(before, g)


def backward(end: Node, g: Any, roots: Sequence[Node]) -> list[Any]:
    """Run a tape backwards from `end` with gradient `g`; return the gradients of `roots`, None for unreached ones."""
    gradients: dict[Any, tuple[Any, bool]] = {end: (g, False)}
    for node in toposort(end):
        if not node.parents:
            continue
        outgrad = gradients.pop(node)[0]
        try:
            for parent, ingrad in zip(node.parents, node.vjp(outgrad), strict=True):
                gradients[parent] = _accumulate(gradients.get(parent), ingrad)
        except NotImplementedError as error:
            raise _no_rule(node.fun) from error
    return [gradients[root][0] if root in gradients else None for root in roots]


# ---- reading and writing by Python's indices ---------------------------------------------------------------------


def _is_basic(index: Any) -> bool:
    parts = index if type(index) is tuple else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, (int, slice, np.integer)) for p in parts)


@primitive
def put(g: Any, index: Any, space: Any) -> SparseObject:
    """Return zeros with `g` added at `index`, as an object that adds itself into a gradient in place."""

    def add_to(total: np.ndarray) -> np.ndarray:
        if _is_basic(index):
            total[index] += g
        else:
            np.add.at(total, index, g)
        return total

    return SparseObject(space, add_to)


rule(put, lambda h, ans, g, index, space: h[index])
rule(ArrayBox.__getitem__, lambda g, ans, x, index: put(g, index, vspace(x)))


# ---- operators ---------------------------------------------------------------------------------------------------


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a binary operator of autograd's boxes that gives way to handles, as NumPy's arrays do: see `Handle`."""

    @functools.wraps(operator)
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Handle):
            return NotImplemented
        return operator(self, other)

    return method


for _name in ("add", "sub", "mul", "truediv", "mod", "pow", "matmul", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(ArrayBox, f"__{_name}__", _giving_way(getattr(ArrayBox, f"__{_name}__")))
