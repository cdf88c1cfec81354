"""The name of the backend that code sees while a graph is made."""

from __future__ import annotations

from typing import Any

import polykeras
from polykeras import layers
from polykeras.backend import Backend


class Asks(layers.Layer):
    """Notes the name of the backend in each call."""

    def __init__(self, within: layers.Layer | None = None) -> None:
        super().__init__()
        self.within, self.seen = within, []

    def call(self, x: Any) -> Any:
        self.seen.append(polykeras.config.backend())
        return x if self.within is None else self.within(x)


def test_it_is_that_for_which_the_graph_is(backend: Backend) -> None:
    inner = Asks()
    outer = Asks(inner)
    outer(polykeras.Input((3,)))
    assert set(outer.seen) == set(inner.seen) == {backend.name}
