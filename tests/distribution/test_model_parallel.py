"""Models whose weights are cut over devices: the numbers of one device, and each device has its part."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers.closeness import assert_close
from helpers.workers import Workers, results_of
from polykeras.backend import Backend

CUTTING = pytest.mark.parametrize("framework", [pytest.param(n, marks=pytest.mark.needs(n)) for n in ("jax", "torch")])
SCRIPTS = Path(__file__).parent / "scripts"
PARTS_OF_DENSE = {
    "dense/first/kernel": [8, 8],
    "dense/first/bias": [8],
    "dense/last/kernel": [8, 4],
    "dense/last/bias": [4],
    "adam/dense_first_kernel_momentum": [8, 8],
    "adam/dense_last_kernel_velocity": [8, 4],
    "adam/dense_last_bias_velocity": [4],
}
PARTS_OF_TRANSFORMER = {
    "embedding/embeddings": [20, 4],
    "attention/query/kernel": [8, 2, 2],
    "attention/attention_output/kernel": [2, 2, 8],
}


def _devices(count: int) -> dict[str, str]:
    """Return what makes so many devices of one CPU, for a process of JAX."""
    return {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"}


def _check_parts(found: dict[str, Any], expected: dict[str, list[int]]) -> None:
    assert {path: found["parts"][path] for path in expected} == expected


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_devices_of_one_and_of_two_processes(tmp_path: Path) -> None:
    script = SCRIPTS / "model_parallel.py"
    arguments = [str(tmp_path / "one"), "dense:1x1", "dense:2x2", "transformer:1x1", "transformer:1x2"]
    (one,) = results_of(script, "jax", 1, arguments, _devices(4))
    cut = ["dense:2x2", "transformer:2x2"]
    first, second = results_of(script, "jax", 2, [str(tmp_path / "two"), *cut], _devices(2))
    assert first == second
    for found, name in [(one, "dense:2x2"), (one, "transformer:1x2"), *((first, name) for name in cut)]:
        assert_close(found[name]["numbers"], one[f"{name.partition(':')[0]}:1x1"]["numbers"])
        _check_parts(found[name], PARTS_OF_DENSE if name.startswith("dense") else PARTS_OF_TRANSFORMER)


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_a_process_for_each_device(tmp_path: Path) -> None:
    script = SCRIPTS / "model_parallel.py"
    (one,) = results_of(script, "torch", 1, [str(tmp_path / "one"), "dense:1x1", "transformer:1x1"])
    cut = ["dense:1x2", "dense:2x1", "transformer:1x2"]
    first, second = results_of(script, "torch", 2, [str(tmp_path / "two"), *cut])
    assert first == second
    for name in cut:
        assert_close(first[name]["numbers"], one[f"{name.partition(':')[0]}:1x1"]["numbers"])
    _check_parts(first["dense:1x2"], PARTS_OF_DENSE)
    _check_parts(first["dense:2x1"], {"dense/first/kernel": [8, 16]})
    _check_parts(first["transformer:1x2"], PARTS_OF_TRANSFORMER)


@pytest.mark.slow
@CUTTING
def test_processes_that_have_parts(framework: str, tmp_path: Path) -> None:
    first, second = results_of(SCRIPTS / "cut_weights.py", framework, 2, [str(tmp_path)])
    assert first["resumed"].pop("files") == [f"{epoch}.weights.h5" for epoch in (1, 2, 3, 4)]
    assert second["resumed"].pop("files") == [], "worker 0 alone writes"
    assert first == second
    assert first["resumed"]["losses"] == first["whole run"], "a run that goes on ends with the same bits"
    assert all(first["resumed"]["equal"])
    assert first["in parts"] == [
        "net/first/kernel",
        "adam/net_first_kernel_momentum",
        "adam/net_first_kernel_velocity",
    ], "others stay whole, also in a loop over steps"
    assert_close(first["whole run"], first["one process"])
    assert_close(first["eager"], first["one process"])
    assert_close(first["mixed"], first["one process, mixed"])
    assert first["stopped"] == 1, "all stop if one does"
    if framework == "torch":
        assert "aten.searchsorted" in first["no rule"]
        assert "While calling Layer 'places'" in first["no rule"]
        assert "whole inputs: layout_map['<path of the layer before it>/output'] = ()" in first["no rule"]
    else:
        assert first["no rule"] == "none", "XLA has one for each operation"
    assert "the variable 'net/first/kernel' of shape (8, 8)" in first["uneven"]
    assert "all devices of the run, 2 in 2 processes; received 1 in" in first["one device"]


@pytest.mark.slow
@CUTTING
def test_a_worker_of_those_that_have_parts_differs_or_is_lost(framework: str) -> None:
    with Workers(SCRIPTS / "cut_faults.py", framework, 2) as workers:
        assert workers.wait() == [0, -signal.SIGKILL], workers.output(0)
        found = workers.results()[0]
    assert "The weights of worker 1 are not those of worker 0: 'net/last/bias' differs." in found["drift"]
    assert_close(found["alone on numpy"], found["cut"])
    if framework == "jax":
        assert found["lost"].startswith("WorkerLost\nAnother worker ended")
    else:  # torch's own error in the middle of a step
        assert "WorkerLost" in found["lost"] or "another worker ended: its own output says why" in found["lost"]


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_extremes_pass_over_nan_on_devices_of_jax() -> None:
    """XLA's collectives on the CPU compare numbers in this way. All other operations were tried by hand, and agree."""
    first, second = results_of(SCRIPTS / "cut_ops.py", "jax", 2, ["reduction"])
    assert first == second
    assert first["differ"] == ["max-2x2-1 last", "min-2x2-1 last"]
    assert first["count"] > 100
    assert not first["refused"]


@pytest.mark.slow
@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "families",
    [
        ["elementwise", "arithmetic", "activations", "nn", "losses", "linalg"],
        ["arrays", "creation", "shaping", "reduction", "statistics", "indexing", "convolution"],
    ],
    ids=["numbers", "places"],
)
def test_no_operation_is_silently_wrong(families: list[str]) -> None:
    first, second = results_of(SCRIPTS / "cut_ops.py", "torch", 2, families)
    assert first == second
    assert first["differ"] == []
    assert first["count"] > 300
    assert len(first["refused"]) < first["count"] / 10, first["refused"]


def _fit(layout_map: keras.distribution.LayoutMap, **kwargs: Any) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with keras.distribution.ModelParallel(layout_map=layout_map, **kwargs).scope():
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)


def test_backends_that_cannot_say_so(backend: Backend) -> None:
    layout_map = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh((1, 2), ["batch", "model"], ["cpu:0", "cpu:1"])
    )
    if not backend.execution.lays_out:
        with pytest.raises(NotImplementedError, match="cannot cut weights over several devices.*DataParallel"):
            _fit(layout_map)
    elif not backend.execution.several_devices:
        with pytest.raises(
            ValueError, match="all devices of the run, 1 in 1 processes; received 2 .*torchrun --nproc-per-node 2"
        ):
            _fit(layout_map)
