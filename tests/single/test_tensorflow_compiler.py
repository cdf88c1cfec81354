"""XLA compiles with LLVM's second level, in TensorFlow too, and the environment stays as it was."""

from __future__ import annotations

import os
from typing import Any

import pytest

from polykeras import fast
from polykeras.backend import use_backend

compilers = pytest.importorskip("polykeras_tensorflow.compiler")
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]
LEVEL = "--xla_backend_optimization_level"


@pytest.fixture(scope="module", autouse=True)
def flags_read() -> None:
    """XLA has read the flags of this run: not those of a test, by which others would then get other bits."""
    tf = pytest.importorskip("tensorflow")
    tf.function(lambda x: 2 * x, jit_compile=True)(tf.constant(1.0))


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has compiled nothing yet, without flags."""
    monkeypatch.setattr(compilers, "_chosen", False)
    monkeypatch.delenv("XLA_FLAGS", raising=False)


@pytest.mark.skipif(not fast.enabled(), reason="it is a fast path")
@pytest.mark.parametrize("flags", [None, "", "--xla_cpu_enable_fast_math=false"])
def test_the_first_program_chooses_the_level(flags: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf
    from polykeras_tensorflow import programs

    found: list[str | None] = []
    call = programs.call

    def noting(graph: Any, arrays: Any) -> Any:
        if tf.executing_eagerly():  # a graph that is traced into a program compiles nothing
            found.append(os.environ.get("XLA_FLAGS"))
        return call(graph, arrays)

    if flags is not None:
        monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.setattr(programs, "call", noting)
    with use_backend("tensorflow") as backend:
        x = backend.asarray([1.0, 2.0])
        double, triple = (backend.compile(lambda leaf, n=n: n * leaf, donate_first=True) for n in (2, 3))
        double(x)
        assert found == [f"{flags or ''} {LEVEL}=2".strip()]
        assert os.environ.get("XLA_FLAGS") == flags
        triple(x)
        double(x)
        assert found[1:] == [flags, flags], "it is read once"


@pytest.mark.skipif(not fast.enabled(), reason="it is a fast path")
def test_a_level_in_the_environment_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", f"{LEVEL}=1")
    with compilers.compiling():
        assert os.environ["XLA_FLAGS"] == f"{LEVEL}=1"


def test_a_failure_puts_the_environment_back() -> None:
    with pytest.raises(OSError, match="memory"), compilers.compiling():
        raise OSError("out of memory")
    assert "XLA_FLAGS" not in os.environ


def test_without_fast_paths_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "enabled", lambda *path: False)
    with compilers.compiling():
        assert "XLA_FLAGS" not in os.environ
