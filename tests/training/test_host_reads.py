"""Nothing in a chunk of steps waits for a value: the host reads logs between chunks, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers, ops
from polykeras.backend import Backend, use_backend
from training.host_reads import host_reads, reads_inside_chunks

X = np.random.default_rng(0).normal(size=(400, 6)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
CHUNK = 10
STEPS = 40
LOGS = 3  # loss, accuracy, area


def trained() -> Any:
    """Return a model that has been trained: nothing is traced any more."""
    model = Sequential(
        [layers.Input((6,)), layers.Dense(8), layers.Dropout(0.2), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        "adam", "binary_crossentropy", metrics=["accuracy", polykeras.metrics.AUC()], steps_per_execution=CHUNK
    )
    model.fit(X, Y, batch_size=10, verbose=0)
    return model


@pytest.fixture
def framework(backend: Backend) -> str:
    if backend.name == "numpy":
        pytest.skip("on numpy every value is the host's")
    return backend.name


def batches() -> Iterator[Any]:
    """Return what arrays give in an epoch of steps of ten, as a stream."""
    return ((X[start : start + 10], Y[start : start + 10]) for start in range(0, len(X), 10))


@pytest.mark.counts_runs
@pytest.mark.parametrize("streamed", [False, True], ids=["arrays", "stream"])
def test_nothing_is_read_inside_a_chunk(framework: str, streamed: bool) -> None:
    model = trained()
    model.fit(batches(), verbose=0)
    with reads_inside_chunks(framework) as (inside, lengths):
        if streamed:
            model.fit(batches(), verbose=1)
        else:
            model.fit(X, Y, batch_size=10, verbose=1)
    assert lengths == [CHUNK] * (STEPS // CHUNK)
    assert inside == []


@pytest.mark.counts_runs
def test_logs_alone_are_read_between_chunks(framework: str) -> None:
    model = trained()
    with host_reads(framework) as reads:
        model.fit(X, Y, batch_size=10, verbose=0)
    assert len(reads) == LOGS * (STEPS // CHUNK), reads


@pytest.mark.counts_runs
def test_logs_are_brought_to_the_host_once_a_chunk(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained()
    calls: list[Any] = []
    to_numpy = backend.to_numpy
    monkeypatch.setattr(type(backend), "to_numpy", lambda self, x: calls.append(x) or to_numpy(x))
    model.fit(X, Y, batch_size=10, verbose=0)
    assert len(calls) == LOGS * (STEPS // CHUNK)


# ---- the tests above would notice --------------------------------------------------------------------------------


@pytest.mark.counts_runs
def test_a_read_inside_a_chunk_is_noticed(framework: str, backend: Backend) -> None:
    model = trained()
    (step,) = model._steps.values()
    chunk = step._programs.chunk

    def reading(state: Any, *args: Any) -> Any:
        backend.to_numpy(state[0])
        return chunk(state, *args)

    step._programs.chunk = reading
    with reads_inside_chunks(framework) as (inside, _):
        model.fit(X, Y, batch_size=10, verbose=0)
    assert len(inside) == STEPS // CHUNK


def test_every_way_to_a_value_is_noticed(framework: str) -> None:
    x = ops.convert_to_tensor([[1.5]])
    for read in (ops.convert_to_numpy, float, bool, int, lambda x: np.asarray(x), lambda x: np.array([x])):
        with host_reads(framework) as reads:
            read(x[0, 0])
        assert len(reads) == 1, (read, reads)


@pytest.mark.needs("torch")
def test_a_kernel_that_waits_is_noticed() -> None:
    with use_backend("torch"):
        x = ops.convert_to_tensor([1.0, 0.0])
        with host_reads("torch", kernels=True) as reads:
            ops.nonzero(x)
    assert "aten::nonzero" in reads


@pytest.mark.needs("jax")
def test_waiting_is_noticed() -> None:
    with use_backend("jax"):
        x = ops.convert_to_tensor([1.0])
        with host_reads("jax") as reads:
            x.block_until_ready()
    assert reads == ["ArrayImpl.block_until_ready"]
