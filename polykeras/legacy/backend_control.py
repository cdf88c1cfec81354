"""Loops over rows, and choices, of Keras 2's backend, `K.foldl` and `K.switch`, over `polykeras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.graph import is_keras_tensor
from polykeras.legacy.backend_arrays import ndim


def foldl(
    fn: Callable[[Any, Any], Any], elems: ArrayLike, initializer: ArrayLike | None = None, name: str | None = None
) -> Array:
    """Return the rows of an array, combined by a function of two arguments, from the first to the last.

    Args:
        fn: takes its previous result and a row.
        elems: rows along the first axis.
        initializer: the first value; by default a row.
        name: accepted as in Keras 2, without effect.
    """
    first, rest = (elems[0], elems[1:]) if initializer is None else (initializer, elems)
    return ops.scan(lambda so_far, x: (fn(so_far, x), None), first, rest)[0]


def foldr(
    fn: Callable[[Any, Any], Any], elems: ArrayLike, initializer: ArrayLike | None = None, name: str | None = None
) -> Array:
    """Return the rows of an array, combined by a function of two arguments, from the last to the first.

    Args:
        fn: takes its previous result and a row.
        elems: rows along the first axis.
        initializer: the first value; by default a row.
        name: accepted as in Keras 2, without effect.
    """
    return foldl(fn, ops.flip(elems, 0), initializer)


def map_fn(fn: Callable[[Any], Any], elems: ArrayLike, name: str | None = None, dtype: str | None = None) -> Array:
    """Return the results of a function for each row, in a dtype if one is given.

    Args:
        fn: takes a row.
        elems: rows along the first axis.
        name: accepted as in Keras 2, without effect.
        dtype: the dtype of the result.
    """
    found = ops.map(fn, elems)
    return found if dtype is None else ops.cast(found, dtype)


def switch(condition: ArrayLike, then_expression: Any, else_expression: Any) -> Array:
    """Return one of two arrays, chosen by a condition.

    Args:
        condition: bools: a single one, or one for each row or element of the expressions.
        then_expression: an array, or a function without arguments that returns one.
        else_expression: like `then_expression`.

    Raises:
        ValueError: if the condition has more axes than the expressions.
    """
    if is_keras_tensor(condition) or ndim(condition) == 0:
        then, other = (lambda x=x: x if not callable(x) else x() for x in (then_expression, else_expression))
        if not is_keras_tensor(condition):
            return ops.cond(ops.cast(condition, "bool"), then, other)
    then, other = (x() if callable(x) else x for x in (then_expression, else_expression))
    missing = ndim(then) - ndim(condition)
    if missing < 0:
        raise ValueError(
            f"switch: the condition has {ndim(condition)} axes; expected at most {ndim(then)}, like the expressions."
        )
    condition = ops.reshape(condition, (*ops.shape(condition), *(1,) * missing))
    return ops.where(ops.cast(condition, "bool"), then, other)
