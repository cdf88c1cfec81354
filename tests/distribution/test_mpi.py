"""The numpy backend's engine, MPI, between three processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from helpers.workers import Workers, results_of
from polykeras.backend import registry
from polykeras.backend.job import Job

SCRIPT = Path(__file__).parent / "scripts" / "mpi.py"

pytest.importorskip("mpi4py")


@pytest.mark.slow
def test_sums() -> None:
    first, *others = results_of(SCRIPT, "numpy", 3, ["well"], {"PYTHONHASHSEED": "0"})
    assert others == [first, first]  # also the bits of random numbers
    for dtype in ("float16", "bfloat16", "float32", "float64", "int8", "uint16", "int32", "uint64"):
        assert first[dtype] == [6, 300 if dtype != "int8" else 300 - 256], dtype
    assert first["scalar"] == 6
    assert first["empty"] == []
    assert first["columns"] == [[3.0, 12.0], [6.0, 15.0], [9.0, 18.0]]


@pytest.mark.slow
def test_an_error_on_one_worker_ends_all() -> None:
    begun = time.monotonic()
    with Workers(SCRIPT, "numpy", 3, ["badly"]) as workers:
        assert workers.wait(60) != [0]
        assert "ValueError: a mistake on one worker" in workers.output()
    assert time.monotonic() - begun < 30


def test_without_the_launcher() -> None:
    with pytest.raises(
        RuntimeError, match=r"Expected process 1 of 2; MPI says process 0 of 1\. .*`mpiexec -n 2 python"
    ):
        registry.load("numpy").connect(Job(1, 2, ""))


def test_without_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"`pip install mpi4py`, and an MPI library"):
        registry.load("numpy").connect(Job(1, 2, ""))
