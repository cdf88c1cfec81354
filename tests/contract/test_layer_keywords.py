"""What built-in layers are asked for by keyword, under Keras's names, and which of Keras's arguments they lack."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from contract.layer_cases import LAYER_CASES
from differential import opponent
from helpers.layer_runner import LayerCase
from polykeras import layers, ops
from polykeras.backend import use_backend
from polykeras.common import nested
from polykeras.layers import Layer
from polykeras.saving.configurable import init_parameters
from recorded.store import of_keras

BUILT_IN = [case for case in LAYER_CASES if case.class_name in of_keras("layers").intersection(layers.__all__)]


@pytest.fixture
def keras_layers() -> Any:
    return opponent.keras().layers


def shapes(inputs: Any) -> Any:
    return nested.map_structure(lambda x: tuple(np.shape(x)), inputs)


@pytest.mark.keras
@pytest.mark.parametrize("case", BUILT_IN, ids=[case.id for case in BUILT_IN])
def test_output_shapes_by_keyword(case: LayerCase, keras_layers: Any) -> None:
    layer = case.make()
    theirs = getattr(keras_layers, type(layer).__name__)
    given = case.inputs if isinstance(case.inputs, tuple) else (case.inputs,)
    parameters = list(inspect.signature(theirs.compute_output_shape).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if not names:  # as of cells and pipelines: Keras's takes `*args, **kwargs` there, and so do we
        assert type(layer).__name__.endswith(("Cell", "Cells", "Pipeline"))
        return
    with use_backend("numpy"):
        expected = layer.compute_output_shape(*map(shapes, given))
        by_name = dict(zip(names, map(shapes, given), strict=False))
        assert case.make().compute_output_shape(**by_name) == expected


@pytest.mark.keras
@pytest.mark.parametrize("name", sorted({type(case.make()).__name__ for case in BUILT_IN}))
def test_methods_have_keras_parameters(name: str, keras_layers: Any) -> None:
    theirs, ours = getattr(keras_layers, name), getattr(layers, name)
    expected = list(inspect.signature(theirs.compute_mask).parameters)[1:]
    found = list(inspect.signature(ours.compute_mask).parameters)[1:]
    assert [n for n in expected if n != "_"] == [n for n in found if n != "sequences"]
    # What we lack does nothing by default, and nothing else of Keras's is refused.
    own = {p.name for p in init_parameters(ours)}
    parameters = {
        n: p
        for cls in reversed(theirs.__mro__)
        for n, p in inspect.signature(cls.__init__).parameters.items()
        if p.kind is p.POSITIONAL_OR_KEYWORD and n != "self"
    }
    of_bases = {"rank", "pool_dimensions", "pool_mode"}  # which their public layers choose
    lacking = {n for n in set(parameters) - own - of_bases if n in inspect.signature(theirs).parameters or n in own}
    assert lacking <= set(ours._lacks)
    for argument, default in ours._lacks.items():
        assert default is (parameters[argument].default if argument in parameters else False)
        assert argument not in own


OF_USERS = ("RNN-own", "Lambda")  # with classes and functions that Keras does not know


@pytest.mark.keras
@pytest.mark.parametrize("case", BUILT_IN, ids=[case.id for case in BUILT_IN])
def test_configs_of_keras_are_taken(case: LayerCase, keras_layers: Any) -> None:
    if case.id.startswith(OF_USERS):
        return
    layer = case.make()
    config = getattr(keras_layers, type(layer).__name__).from_config(layer.get_config()).get_config()
    known = {p.name for p in init_parameters(type(layer))}
    assert {name: value for name, value in config.items() if name not in known}.items() <= layer._lacks.items()
    assert type(type(layer).from_config(config)) is type(layer)


def test_masks_by_keyword() -> None:
    ids, x = np.array([[1, 0], [2, 3]], "int32"), np.ones((2, 2, 3), "float32")
    mask = ids != 0
    with use_backend("numpy"):
        np.testing.assert_array_equal(layers.Embedding(4, 2, mask_zero=True).compute_mask(inputs=ids, mask=None), mask)
        np.testing.assert_array_equal(layers.Masking().compute_mask(inputs=x, mask=mask), mask | True)
        np.testing.assert_array_equal(layers.LSTM(2, return_sequences=True).compute_mask(x, mask=mask), mask)
        assert layers.LSTM(2).compute_mask(x, mask=mask) is None
        assert layers.GlobalAveragePooling1D().compute_mask(inputs=x, mask=mask) is None
        np.testing.assert_array_equal(layers.Add().compute_mask(inputs=[x, x], mask=[mask, mask]), mask)
        np.testing.assert_array_equal(layers.Dense(2).compute_mask(inputs=x, previous_mask=mask), mask)


class Own(Layer):
    def __init__(self, units: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def call(self, anything: Any) -> Any:
        return ops.concatenate([anything] * self.units, axis=-1)


def test_a_users_layer_takes_the_shape_of_its_first_argument() -> None:
    assert Own().compute_output_shape(input_shape=(2, 3)) == (2, 6)
    assert Own().compute_output_shape(anything_shape=(2, 3)) == (2, 6)
    with pytest.raises(TypeError):
        Own().compute_output_shape(other_shape=(2, 3))


@pytest.mark.parametrize("value", [None, False, 1])
def test_an_argument_that_is_not_known_is_told(value: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        Own.from_config({"units": 3, "colour": value})
    with pytest.raises(TypeError, match="colour"):
        layers.Dense.from_config({"units": 3, "colour": value})
    with pytest.raises(TypeError, match="lora_rank"):
        Own.from_config({"lora_rank": None})


def test_what_keras_has_and_leaves_off_is_left_out() -> None:
    class Wide(layers.Dense):
        pass

    for cls in (layers.Dense, Wide):
        assert cls.from_config({"units": 3, "quantization_config": None, "lora_rank": None}).units == 3
    einsum = {"equation": "ab,bc->ac", "output_shape": 3}
    assert layers.EinsumDense.from_config(einsum | {"gptq_unpacked_column_size": None}).partial_output_shape == (3,)
    with pytest.raises(TypeError, match="gptq_unpacked_column_size"):
        layers.EinsumDense.from_config(einsum | {"gptq_unpacked_column_size": 4})
