"""Names and orders of arguments from Keras 1 and 2 that Keras 3 lacks; `polykeras.legacy` has their meaning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

_NAMES = """
    U_regularizer W_constraint W_regularizer alpha atrous_rate b_constraint b_regularizer beta_init bias
    border_mode consume_less dim_ordering dropout_U dropout_W filter_length gamma_init init
    inner_activation inner_init kernel_dim1 kernel_dim2 kernel_dim3 length nb_col nb_filter nb_row output_dim
    p pool_length sigma stride subsample subsample_length
"""
OLD_NAMES = frozenset(_NAMES.split())
_KERAS_2_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")
C = TypeVar("C", bound=Callable[..., Any])


def takes_old_names(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap the `__init__` of a polykeras layer so that it also accepts the old names of its arguments."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if not OLD_NAMES.isdisjoint(kwargs):
            kwargs = import_module("polykeras.legacy.arguments").translate(type(self), kwargs)
            object.__setattr__(self, "_init_arguments", (args, kwargs))
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            told = str(error).partition(f"{init.__qualname__}() ")
            if told[0] or not told[1] or type(self).__init__ is not __init__:
                raise
            # Python names the base class that defines `__init__`, such as Conv; the caller used Conv2D.
            raise TypeError(f"{type(self).__name__}() {told[2]}") from None

    return __init__


def or_name_first(add_weight: C) -> C:
    """Wrap `add_weight` to also accept Keras 2's order of arguments, which begins with a name."""

    @functools.wraps(add_weight)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            return add_weight(self, **dict(zip(_KERAS_2_ORDER, args, strict=False)), **kwargs)
        return add_weight(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]
