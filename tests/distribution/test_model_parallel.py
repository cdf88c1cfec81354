"""Models whose weights are cut over devices: the numbers of one device, and each device has its part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from helpers.closeness import assert_close
from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "model_parallel.py"
FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}


def _check_parts(parts: dict[str, list[int]], expected: dict[str, list[int]]) -> None:
    assert {path: parts[path] for path in expected} == expected


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_devices_of_one_process() -> None:
    names = ["dense:1x1", "dense:2x2", "transformer:1x1", "transformer:1x2"]
    (found,) = results_of(SCRIPT, "jax", 1, names, FOUR_DEVICES)
    assert_close(found["dense:2x2"]["numbers"], found["dense:1x1"]["numbers"])
    assert_close(found["transformer:1x2"]["numbers"], found["transformer:1x1"]["numbers"])
    _check_parts(
        found["dense:2x2"]["parts"],
        {
            "dense/first/kernel": [8, 8],
            "dense/first/bias": [8],
            "dense/last/kernel": [8, 4],
            "dense/last/bias": [4],
            "adam/dense_first_kernel_momentum": [8, 8],
            "adam/dense_last_kernel_velocity": [8, 4],
            "adam/dense_last_bias_velocity": [4],
        },
    )
    _check_parts(
        found["transformer:1x2"]["parts"],
        {
            "embedding/embeddings": [20, 4],
            "attention/query/kernel": [8, 2, 2],
            "attention/attention_output/kernel": [2, 2, 8],
        },
    )


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
