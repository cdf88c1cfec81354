"""What is no op, loss, metric or optimizer, and differs from Keras on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from differential.shown import Shown


def zeros_of_a_graph(library: Any) -> Any:
    x = library.Input((3,))
    zero = x == 0.0
    if isinstance(zero, bool):
        return zero
    return np.asarray(library.Model(x, zero)(np.array([[0.0, 1.0, 0.0]], "float32"))).tolist()


def far_from_the_teacher(library: Any) -> bool:
    logits = np.array([[-1.0, -2.0]], "float32")
    return float(library.distillation.LogitsDistillation().compute_loss(logits, logits[:, ::-1])) > 0.05


def loss_of_samples_without_weight(library: Any) -> bool:
    teacher, student = (library.Sequential([library.Input((2,)), library.layers.Dense(1)]) for _ in range(2))
    loss = library.distillation.FeatureDistillation()
    distiller = library.distillation.Distiller(teacher, student, loss, student_loss_weight=1.0)
    distiller.compile(loss="mse")
    x, y = np.ones((3, 2), "float32"), np.full((3, 1), 99.0, "float32")
    return float(distiller.compute_loss(x, y, student(x), np.zeros(3, "float32"))) > 0


def policy_after_clear_session(library: Any) -> str:
    before = library.config.dtype_policy()
    library.config.set_dtype_policy("mixed_bfloat16")
    library.utils.clear_session()
    found = library.config.dtype_policy().name
    library.config.set_dtype_policy(before)
    return found


def weights_of_a_replaced_layer(library: Any) -> int:
    layer = library.layers.Layer()
    for units in (1, 2):
        layer.part = library.layers.Dense(units)
        layer.part.build((None, 3))
    return len(layer.weights)


def slopes_shared_along_the_last_axis(library: Any) -> Any:
    layer = library.layers.PReLU(shared_axes=[-1])
    layer.build((None, 3, 4))
    return tuple(layer.alpha.shape)


def order_of_a_reversed_list(library: Any) -> list[int]:
    layer = library.layers.Layer()
    layer.parts = [library.layers.Dense(units, use_bias=False) for units in (1, 2)]
    for part in layer.parts:
        part.build((None, 3))
    layer.parts = layer.parts[::-1]
    return [weight.shape[-1] for weight in layer.weights]


def kind_of_one_output(library: Any) -> str:
    x = library.Input((3,))
    result = library.Model([x], [x * 2])(library.Input((3,)))
    return "a list" if isinstance(result, list) else "a tensor"


def two_sizes_of_blocks(library: Any) -> Any:
    config = library.quantizers.Int4QuantizationConfig(block_size=4)
    layer = library.layers.Dense(3, dtype="int4/8_from_float32", quantization_config=config)
    try:
        layer.build((None, 16))
    except ValueError:
        return "refused"
    return layer.dtype_policy.name, tuple(layer.kernel_scale.shape)


SHOWN: Shown = {
    "shared_axes=[-1]": (slopes_shared_along_the_last_axis, (3, 1), (1, 4)),
    "order of parts that change places": (order_of_a_reversed_list, [2, 1], [1, 2]),
    "a list of one output, in a graph": (kind_of_one_output, "a tensor", "a list"),
    "weights of a replaced layer": (weights_of_a_replaced_layer, 2, 4),
    "a policy and a description that differ": (two_sizes_of_blocks, "refused", ("int4/8_from_float32", (4, 3))),
    "policy after clear_session": (policy_after_clear_session, "mixed_bfloat16", "float32"),
    "tensor == number": (zeros_of_a_graph, [[True, False, True]], False),
    "loss by name": (far_from_the_teacher, True, False),
    "weights of samples": (loss_of_samples_without_weight, False, True),
}
