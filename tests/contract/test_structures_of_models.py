"""The inputs and outputs of a model in the structure in which they were passed, by the names that libraries read."""

from __future__ import annotations

import pytest

import polykeras as keras
from polykeras.backend import Backend


class Task(keras.Model):
    """A subclass that is made from a graph."""


@pytest.mark.parametrize("cls", [keras.Model, Task])
def test_structures(backend: Backend, cls: type) -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = cls({"a": a, "b": b}, [keras.ops.add(a, b)])
    assert list(model._inputs_struct) == ["a", "b"]
    assert model._inputs_struct["b"] is b
    assert [x.shape for x in model._outputs_struct] == [(None, 2)]
    with pytest.raises(AttributeError):
        _ = Task()._inputs_struct
