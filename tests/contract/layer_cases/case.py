"""How a case of a layer is written, and what several families use."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from contract.table import B, drawn
from helpers.layer_runner import LayerCase
from polykeras import layers as L
from polykeras import ops
from polykeras.common import nested

_ids: set[str] = set()


def layer(make: Callable[[], L.Layer], inputs: Any, note: str = "", **options: Any) -> LayerCase:
    """Return one case.

    Args:
        make: returns the layer, not built.
        inputs: a `Draw` or an array, or a list (one argument) or a tuple (several arguments) of them.
        note: tells cases of one layer apart.
        **options: `grad`, `rtol`, `atol` and `why`; all others are arguments of the call.
    """
    own = {key: options.pop(key) for key in ("grad", "rtol", "atol", "why") if key in options}
    shapes = [x.shape for x in nested.flatten(inputs)]
    name = "-".join([type(make()).__name__, *([note] if note else []), *("x".join(map(str, s)) for s in shapes)])
    while name in _ids:
        name += "'"
    _ids.add(name)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kwargs = {key: drawn(value, rng) for key, value in options.items()}
    return LayerCase(make, drawn(inputs, rng), kwargs, **own, id=name)


def scaled(x: Any, factor: float) -> Any:
    """Return the product: the function of a `Lambda`."""
    return ops.multiply(x, factor)


class Leaky(L.Layer):
    """A user's cell: sublayers, random numbers, a state that is not its output."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = 3
        self.output_size = 2
        self.inner, self.outer, self.drop = L.Dense(3), L.Dense(2), L.Dropout(0.3)

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        """Return the output and the new state."""
        state = ops.tanh(ops.add(ops.multiply(states[0], 0.5), self.drop(self.inner(inputs), training=training)))
        return self.outer(state), [state]


OWN = {"Leaky": Leaky, "scaled": scaled}
"""What configs of the cases name beside the library's own objects."""

SUMS: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5, "why": "chains of sums and products"}
MASK = B([[True, True, False, False], [False, True, True, True]])
HOLES = B([[[True, True, False], [True, False, True]], [[True, True, True], [True, False, False]]])
FIRST: dict[str, Any] = {"data_format": "channels_first"}
UNIT: dict[str, Any] = {"bias_initializer": "ones"}
MERGERS = (L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply)
RECURRENT = (L.SimpleRNN, L.LSTM, L.GRU)
