"""What each op means, said with NumPy and SciPy: the reference of the reference. All run in float64.

A function takes the op's own arguments, as NumPy arrays. `EXEMPT` lists ops that NumPy and SciPy do not express.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.references.composed import COMPOSED
from contract.references.networks import NETWORKS
from contract.references.primitives import PRIMITIVES, dynamic_update_slice, scatter_reduce
from contract.references.words import WORDS

_UPDATES: dict[str, Callable[..., Any]] = {
    "slice_update": dynamic_update_slice,
    "scatter_update": lambda inputs, indices, updates, reduction=None: scatter_reduce(
        inputs, indices, updates, reduction or "set"
    ),
}
REFERENCES: dict[str, Callable[..., Any]] = {**PRIMITIVES, **COMPOSED, **NETWORKS, **WORDS, **_UPDATES}

EXEMPT: dict[str, str] = {
    "cast": "conversions have their own table in test_promotion.py",
    **dict.fromkeys(
        ["random_dropout", "random_gamma", "random_beta", "random_binomial", "random_categorical"],
        "the distribution is what counts: it is tested with the generators of polykeras.random",
    ),
}
