"""Models whose weights are cut over devices: the numbers of one device, and each device has its part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers.closeness import assert_close
from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "model_parallel.py"
FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}


def _check_parts(found: dict[str, Any], parts: int) -> None:
    """Check the shapes of what a device has of variables, and of the slots of the optimizer that belong to them."""
    dense, block = found["dense"]["parts"], found["transformer"]["parts"]
    assert dense["dense/first/kernel"] == [8, 16 // parts]
    assert dense["dense/first/bias"] == [16 // parts]
    assert dense["dense/last/kernel"] == [16 // parts, 4]
    assert dense["dense/last/bias"] == [4]
    assert dense["adam/dense_first_kernel_momentum"] == [8, 16 // parts]
    assert dense["adam/dense_last_bias_velocity"] == [4]
    assert block["embedding/embeddings"] == [20, 8 // parts]
    assert block["attention/query/kernel"] == [8, 4 // parts, 2]
    assert block["attention/attention_output/kernel"] == [4 // parts, 2, 8]


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_devices_of_one_process() -> None:
    shapes = ["1x1", "1x2", "2x2"]
    (found,) = results_of(SCRIPT, "jax", 1, shapes, FOUR_DEVICES)
    for shape in shapes:
        _check_parts(found[shape], int(shape[-1]))
        for name, result in found[shape].items():
            assert_close(result["numbers"], found["1x1"][name]["numbers"])


def test_backends_that_cannot_say_so(backend: Backend) -> None:
    if backend.execution.lays_out:
        pytest.skip("it can")
    mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"], ["cpu:0", "cpu:1"])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    parallel = keras.distribution.ModelParallel(layout_map=keras.distribution.LayoutMap(mesh))
    refused = pytest.raises(NotImplementedError, match="cannot cut weights over several devices.*DataParallel")
    with parallel.scope(), refused:
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
