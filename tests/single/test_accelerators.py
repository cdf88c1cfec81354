"""What is set for GPUs and TPUs, as far as it can be seen without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import polykeras as keras
from polykeras.backend import registry


def told(program: str, **environment: str) -> str:
    """Return what a program prints in a process of its own, in which nothing is set for accelerators."""
    clean = {k: v for k, v in os.environ.items() if "MEM_FRACTION" not in k and "PREALLOCATE" not in k}
    run = subprocess.run(
        [sys.executable, "-c", program], env=clean | environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    asked = registry._precision
    yield
    registry._precision = asked
    for backend in registry.loaded_backends():
        backend.set_matmul_precision(asked or "highest" if backend.name != "jax" else asked)


# ---- memory ----------------------------------------------------------------------------------------------------------

PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"
LOAD = f"import os; import polykeras.backend; polykeras.use_backend('jax'); print(os.environ.get({PREALLOCATE!r}))"


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_jax_leaves_memory_of_a_gpu_to_others() -> None:
    assert told(LOAD) == "false"


@pytest.mark.slow
@pytest.mark.needs("jax")
@pytest.mark.parametrize("variable", ["XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"])
def test_what_the_environment_says_of_memory_stays(variable: str) -> None:
    assert told(LOAD, **{variable: "0.5"}) == "None"
    assert told(LOAD, **{PREALLOCATE: "true"}) == "true"


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_no_device_is_used_when_jax_is_loaded() -> None:
    program = "import polykeras; polykeras.use_backend('jax'); from jax._src import xla_bridge as x; print(x._backends)"
    assert told(program) == "{}"


# ---- precision -------------------------------------------------------------------------------------------------------


def test_precision_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="expected 'highest' or 'high'; received 'low'"):
        keras.set_matmul_precision("low")


TORCH = """
import torch
{before}
import polykeras
polykeras.use_backend("torch")
{after}
matmul = torch.backends.cuda.matmul
print(torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32,
      matmul.allow_fp16_reduced_precision_reduction, matmul.allow_bf16_reduced_precision_reduction)
"""


@pytest.mark.slow
@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", "highest False False False"),
        ("", "polykeras.set_matmul_precision('high')", "high True True True"),
        ("torch.set_float32_matmul_precision('high')", "", "high True True True"),
        ("torch.set_float32_matmul_precision('high')", "polykeras.set_matmul_precision('highest')", "highest"),
        ("import polykeras; polykeras.set_matmul_precision('high')", "", "high True True True"),
    ],
)
def test_torch(before: str, after: str, expected: str) -> None:
    assert told(TORCH.format(before=before, after=after)).startswith(expected)


# The newer interface of torch, after which the older one may not be asked.
PLACES = ("torch.backends.cuda.matmul", "torch.backends", "torch.backends.mkldnn.matmul", "torch.backends.cudnn")


@pytest.mark.slow
@pytest.mark.needs("torch")
@pytest.mark.parametrize("place", PLACES)
def test_what_a_user_set_by_torchs_newer_interface_stays(place: str) -> None:
    value = "bf16" if "mkldnn" in place else "tf32"
    code = (
        f"import torch\n{place}.fp32_precision = {value!r}\nimport polykeras\npolykeras.use_backend('torch')\n"
        f"print({place}.fp32_precision)\npolykeras.set_matmul_precision('highest')\n"
        "print(torch.backends.cuda.matmul.fp32_precision)"
    )
    assert told(code).split() == [value, "ieee"]


@pytest.mark.slow
@pytest.mark.needs("tensorflow")
def test_tensorflow() -> None:
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    registry.load("tensorflow")
    for precision, expected in (("high", True), ("highest", False)):
        keras.set_matmul_precision(precision)
        assert enabled() is expected
    assert (
        told(
            "import polykeras, tensorflow as tf; polykeras.use_backend('tensorflow');"
            "print(tf.config.experimental.tensor_float_32_execution_enabled())"
        )
        == "False"
    )


@pytest.mark.needs("jax")
def test_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax
    from polykeras_jax import framework as module

    backend = registry.load("jax")
    chosen = lambda: jax.config.jax_default_matmul_precision  # noqa: E731
    before = chosen()
    try:
        for accelerators, given, asked, expected in [
            (False, None, None, None),  # a CPU alone: nothing is set
            (True, None, None, "highest"),
            (True, "bfloat16", None, "bfloat16"),
            (True, "bfloat16", "high", "high"),
            (False, None, "high", "high"),
        ]:
            jax.config.update("jax_default_matmul_precision", given)
            monkeypatch.setattr(module, "has_accelerators", lambda found=accelerators: found)
            backend.set_matmul_precision(asked)
            assert chosen() == expected
    finally:
        jax.config.update("jax_default_matmul_precision", before)


# ---- devices ---------------------------------------------------------------------------------------------------------


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(0, False, ["cpu:0"]), (0, True, ["cpu:0", "gpu:0"]), (2, False, ["gpu:0", "gpu:1", "cpu:0"])],
)
def test_devices_of_torch(cuda: int, mps: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from polykeras_torch import arrays

    backend: Any = registry.load("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    arrays.device_names.cache_clear()
    arrays._default_device.cache_clear()
    try:
        assert backend.devices() == expected
        assert arrays.current_device().type == ("cuda" if cuda else "cpu")
        if mps:
            assert arrays.find_device("mps").type == "mps"
            with backend.device_scope("gpu"):
                assert arrays.current_device().type == "mps"
    finally:
        arrays.device_names.cache_clear()
        arrays._default_device.cache_clear()
