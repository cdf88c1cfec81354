"""The order of a layer's weights, which `get_weights` gives, for layers that get their parts in any order.

A part is set as an attribute, in place of a None that `__init__` set too, or goes into a list or a dict.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import polykeras
from differential.opponent import keras
from polykeras.backend import use_backend

pytestmark = pytest.mark.keras

STEPS = ("layer", "weight", "made before", "none", "list", "dict", "new list", "into list", "into dict")
programs = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("ab")), max_size=12)


def order(library: Any, program: list[tuple[str, str]]) -> list[str]:
    """Return the names of the weights of a layer that a program makes, each a step and part of an attribute's name."""

    class Part(library.layers.Layer):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.weight = self.add_weight(shape=(), name=name)

    class Whole(library.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            before = [Part(f"before {i}") for i in range(len(program))]
            for i, (step, which) in enumerate(program):
                parts, named = f"list_{which}", f"dict_{which}"
                if step == "none":
                    setattr(self, f"part_{which}_{i + 1}", None)
                elif step == "list":
                    setattr(self, parts, getattr(self, parts, []))
                elif step == "dict":
                    setattr(self, named, getattr(self, named, {}))
                elif step == "new list":
                    setattr(self, parts, [*getattr(self, parts, ()), Part(f"{i}"), Part(f"{i}, second")])
                elif step == "into list" and hasattr(self, parts):
                    getattr(self, parts).append(Part(f"{i}"))
                elif step == "into dict" and hasattr(self, named):
                    getattr(self, named)[f"key {i}"] = Part(f"{i}")
                elif step == "made before":
                    setattr(self, f"part_{which}_{i}", before[i])
                elif step == "layer":
                    setattr(self, f"part_{which}_{i}", Part(f"{i}"))
                elif step == "weight":
                    setattr(self, f"part_{which}_{i}", self.add_weight(shape=(), name=f"{i}"))

    return [weight.name for weight in Whole().weights]


@given(programs)
@example([("list", "a"), ("list", "b"), *[("into list", "a"), ("into list", "b")] * 2])
@example([("none", "a"), ("layer", "b"), ("layer", "a"), ("layer", "a")])
def test_the_order_of_weights(program: list[tuple[str, str]]) -> None:
    with use_backend("jax"):
        ours = order(polykeras, program)
    assert ours == order(keras(), program)
