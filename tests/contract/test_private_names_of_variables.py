"""Keras's private names of a layer's variables, which KerasHub's layers and its loading of presets read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import layers, ops
from polykeras.backend import Backend
from polykeras.variables import Variable


class Table(layers.Layer):
    """Its variables are made in another order than that of files."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.add_weight((), "zeros", trainable=False, name="count")
        self.table = self.add_weight((2, 3), "ones", name="table")
        self.inner = layers.Dense(2)
        self.built = True

    def load_own_variables(self, store: Any) -> None:
        for i, variable in enumerate(self._trainable_variables + self._non_trainable_variables):
            variable.assign(store[str(i)])


def test_own_variables_in_the_order_of_files(backend: Backend) -> None:
    layer = Table()
    assert [v.name for v in layer._trainable_variables] == ["table"]
    assert [v.name for v in layer._non_trainable_variables] == ["count"]
    layer.trainable = False
    assert [v.name for v in layer._trainable_variables] == ["table"]
    layer.count.assign(5.0)
    stored: dict[str, Any] = {}
    layer.save_own_variables(stored)
    other = Table()
    other.load_own_variables(stored)
    assert float(ops.convert_to_numpy(other.count)) == 5.0


def test_the_table_without_the_factors(backend: Backend) -> None:
    layer = layers.Embedding(4, 3)
    layer.build(None)
    table = layer._embeddings
    assert table is layer.embeddings
    layer.enable_lora(2)
    layer.lora_embeddings_a.assign(np.ones((4, 2)))
    layer.lora_embeddings_b.assign(np.ones((2, 3)))
    assert layer._embeddings is table
    np.testing.assert_allclose(ops.convert_to_numpy(layer.embeddings), ops.convert_to_numpy(table) + 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["Dense", "EinsumDense", "Conv1D"])
def test_the_kernel_without_the_factors(name: str, backend: Backend) -> None:
    made = {"Dense": layers.Dense(2), "EinsumDense": layers.EinsumDense("ab,bc->ac", 2), "Conv1D": layers.Conv1D(2, 2)}
    layer = made[name]
    with pytest.raises(AttributeError, match="not built"):
        _ = layer._kernel
    layer.build((3, 4, 3) if name == "Conv1D" else (3, 3))
    layer._kernel.assign(np.ones(layer.kernel.shape))
    layer.enable_lora(2)
    assert layer._kernel in layer.non_trainable_variables
    np.testing.assert_array_equal(ops.convert_to_numpy(layer._kernel), np.ones(layer.kernel.shape))


def test_the_stored_array(backend: Backend) -> None:
    variable = Variable(np.ones((2, 3), "float32"), name="w")
    ops.convert_to_numpy(ops.add(variable, 1.0))
    assert variable._value.shape == (2, 3)
    new = Variable("ones", (2, 3), name="v")  # it is made when it is read
    assert new._value is None or new._value.shape == (2, 3)


@pytest.mark.needs("jax")
def test_memory_of_a_variable_is_freed_before_a_new_value() -> None:
    from polykeras import use_backend

    with use_backend("jax"):
        dense = layers.Dense(3)
        dense(np.ones((2, 4), "float32"))
        for weight in dense.weights:
            if weight._value is not None:
                weight._value.delete()
        dense.set_weights([np.ones((4, 3)), np.zeros(3)])
        np.testing.assert_array_equal(ops.convert_to_numpy(dense(np.ones((2, 4), "float32"))), 4.0)
