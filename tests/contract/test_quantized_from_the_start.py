"""Layers whose dtype policy quantizes them when they are built, in a graph too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops, quantizers
from polykeras.backend import Backend


class Holder(keras.Model):
    """A class of a library, made from a graph."""

    def __init__(self, dtype: str) -> None:
        self.table = layers.Embedding(10, 4, dtype=dtype)
        inputs = keras.Input((None,), dtype="int32")
        super().__init__(inputs, layers.Dense(2, dtype=dtype)(self.table(inputs)), dtype=dtype)


@pytest.mark.parametrize("policy", ["int8_from_float32", "int4_from_float32"])
def test_an_embedding_in_a_graph(backend: Backend, policy: str) -> None:
    indices = keras.Input((None,), dtype="int32")
    layer = layers.Embedding(10, 4, dtype=policy)
    assert layer(indices).shape == (None, None, 4)
    assert layer.quantization_mode == policy[:4]
    assert ops.convert_to_numpy(layer(np.array([[1, 2]]))).shape == (1, 2, 4)


def test_layers_within_a_model_made_from_a_graph(backend: Backend) -> None:
    model = Holder("mixed_bfloat16")
    within = model._flatten_layers()
    assert [type(layer).__name__ for layer in within] == ["Holder", "Embedding", "InputLayer", "Dense"]
    assert {layer.compute_dtype for layer in within if not isinstance(layer, layers.InputLayer)} == {"bfloat16"}


GPTQ = quantizers.GPTQConfig(None, None, group_size=8)
INT4 = quantizers.Int4QuantizationConfig(block_size=4)


@pytest.mark.parametrize(
    ("policy", "config"),
    [
        ("gptq/4/5", GPTQ),
        ("gptq/8/8", GPTQ),
        ("awq/4/8", GPTQ),
        ("int8", GPTQ),
        ("int4/8", INT4),
        ("int4/-1", INT4),
        ("int8", INT4),
        ("ternary", quantizers.Float8QuantizationConfig()),
    ],
)
def test_a_policy_and_a_description_agree(policy: str, config: Any, backend: Backend) -> None:
    """Keras takes the description, and leaves a policy that says something else."""
    layer = layers.Dense(3, dtype=f"{policy}_from_float32", quantization_config=config, name="one")
    with pytest.raises(
        ValueError, match=rf"'one' \(Dense\).*agree.*'{policy}_from_float32' and a {type(config).__name__}"
    ):
        layer.build((None, 16))
    said = config.dtype_policy_string()
    layer = layers.Dense(3, dtype=f"{said}_from_float32", quantization_config=config)
    layer.build((None, 16))
    assert layer.quantization_mode == config.mode


def test_a_policy_that_is_set_later_and_a_description_agree(backend: Backend) -> None:
    layer = layers.Dense(3, quantization_config=INT4)
    layer.build((None, 16))
    with pytest.raises(ValueError, match="that agree; received the policy 'int4/8_from_float32'"):
        layer.dtype_policy = "int4/8_from_float32"
    assert layer.quantization_mode is None
    layer.dtype_policy = keras.dtype_policies.DTypePolicyMap("int4/4_from_float32")
    assert layer.kernel_scale.shape == (4, 3)


def test_a_policy_may_say_nothing_of_blocks(backend: Backend) -> None:
    layer = layers.Dense(3, dtype="int4_from_float32", quantization_config=INT4)
    layer.build((None, 16))
    assert layer.kernel_scale.shape == (4, 3)


@pytest.mark.parametrize("wrong", [{"block_size": 4}, "int8", 3])
def test_a_description_is_an_object(wrong: Any) -> None:
    for make in (
        lambda: layers.Dense(3, quantization_config=wrong, name="one"),
        lambda: layers.EinsumDense("ab,bc->ac", 3, quantization_config=wrong, name="one"),
        lambda: layers.Embedding(3, 3, quantization_config=wrong, name="one"),
    ):
        with pytest.raises(TypeError, match="'one' .*`quantization_config` must be a QuantizationConfig; received"):
            make()
    layer = layers.Dense(3)
    layer.build((None, 4))
    if isinstance(wrong, str):
        layer.quantize(config=wrong)  # as in Keras, a mode
        assert layer.quantization_mode == wrong
        return
    with pytest.raises(TypeError, match="`config` must be a QuantizationConfig"):
        layer.quantize(config=wrong)


def test_a_config_of_a_layer_holds_a_serialized_description(backend: Backend) -> None:
    layer = layers.Dense(3, dtype="int4/4_from_float32", quantization_config=INT4)
    config = layer.get_config()
    assert isinstance(config["quantization_config"], dict)
    with pytest.raises(TypeError, match="`quantizers.deserialize` makes one"):
        layers.Dense(3, quantization_config=config["quantization_config"])
    twin = layers.Dense.from_config(config)
    assert twin.quantization_config is not None
    assert twin.quantization_config.dtype_policy_string() == "int4/4"
