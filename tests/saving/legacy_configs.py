"""Arguments of layers as Keras 2 wrote them, and graphs of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers import data
from saving.legacy_writer import node

SCALED = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ZEROS = {"class_name": "Zeros", "config": {}}
DENSE = {
    "activation": "linear",
    "use_bias": True,
    "kernel_initializer": SCALED,
    "bias_initializer": ZEROS,
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}
RNN = {
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "kernel_initializer": SCALED,
    "recurrent_initializer": {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}},
    "bias_initializer": ZEROS,
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
}
GATED = RNN | {
    "activation": "tanh",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": True,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "implementation": 1,
    "unroll": False,
}


def graph(
    entries: list[Any], inputs: Any, outputs: Any, name: str = "model_1", class_name: str = "Model"
) -> dict[str, Any]:
    config = {"name": name, "layers": entries, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": class_name, "config": config}


def entry(name: str, shape: list[Any], dtype: str = "float32") -> dict[str, Any]:
    return node("InputLayer", name, batch_input_shape=shape, dtype=dtype, sparse=False)


def affine(seed: int, inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    return data(inputs, outputs, seed=seed), data(outputs, seed=seed + 100)
