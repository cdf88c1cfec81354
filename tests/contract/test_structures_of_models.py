"""The inputs and outputs of a model in the structure in which they were passed, by the names that libraries read."""

from __future__ import annotations

from typing import Any

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


@pytest.mark.parametrize("cls", [keras.Model, Task])
def test_a_model_of_a_graph_leaves_out_what_it_does_not_know(cls: type) -> None:
    """Keras does so in silence."""
    x = keras.Input((2,))
    with pytest.warns(UserWarning, match=r"unexpected argument.s. layer_norm_epsilon, nam. Did you mean"):
        assert cls(x, x * 2, layer_norm_epsilon=1e-5, nam="a", trainable=False).name != "a"


def test_a_sequential_or_subclassed_model_in_a_graph_gives_the_tensors_of_its_first_call() -> None:
    """As any layer does; before it is called there, those of its own graph."""

    class Doubled(keras.Model):
        def call(self, x: Any) -> Any:
            return x * 2

    for model in (keras.Sequential([keras.layers.Dense(3)]), Doubled()):
        x = keras.Input((4,))
        y = model(x)
        model(keras.Input((4,)))
        assert model.input is x
        assert model.output is y
    own = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert own.output is own.outputs[0]
    x = keras.Input((4,))
    y = own(x)
    assert (own.input, own.output) == (x, y)
    assert own._outputs_struct is own.outputs[0]
    assert keras.Model(x, own.output).output_shape == (None, 3)
