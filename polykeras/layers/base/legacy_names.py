"""Names of layers' arguments that Keras 1 and 2 had and Keras 3 has not. What they mean: `polykeras.legacy`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

_NAMES = """
    U_regularizer W_constraint W_regularizer alpha atrous_rate b_constraint b_regularizer beta_init bias
    border_mode consume_less dim_ordering dropout_U dropout_W filter_length gamma_init init
    inner_activation inner_init kernel_dim1 kernel_dim2 kernel_dim3 length nb_col nb_filter nb_row output_dim
    p pool_length sigma stride subsample subsample_length
"""
LEGACY_NAMES = frozenset(_NAMES.split())


def takes_legacy_names(init: Callable[..., None]) -> Callable[..., None]:
    """Return the `__init__` of a layer of ours that takes its arguments under their legacy names too."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if not LEGACY_NAMES.isdisjoint(kwargs):
            kwargs = import_module("polykeras.legacy.arguments").translate(type(self), kwargs)
            object.__setattr__(self, "_init_arguments", (args, kwargs))
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            told = str(error).partition(f"{init.__qualname__}() ")
            if told[0] or not told[1] or type(self).__init__ is not __init__:
                raise
            # Python names the base whose `__init__` it is, as Conv; who called the class knows Conv2D.
            raise TypeError(f"{type(self).__name__}() {told[2]}") from None

    return __init__
