"""The tensorflow backend: NumPy arrays, which come to it by a copy that it takes over."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from polykeras import fast, ops
from polykeras.backend import use_backend
from polykeras.backend.registry import load
from single.on_tensorflow import tf

arrays = pytest.importorskip("polykeras_tensorflow.arrays")
pytestmark = pytest.mark.needs("tensorflow")

KINDS = ["float16", "float32", "float64", "int8", "int64", "uint16", "bool", "complex64"]


def looks(dtype: str) -> dict[str, Any]:
    """Return arrays of all kinds of memory."""
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    frozen = x.copy()
    frozen.flags.writeable = False
    return {
        "plain": x,
        "of one number": x[0, 0, :1].reshape(()),
        "in steps": x[:, ::2],
        "transposed": x.T,
        "broadcast": np.broadcast_to(x[0, 0], (3, 4)),
        "read-only": frozen,
        "big-endian": x.astype(x.dtype.newbyteorder(">")),
        "empty": x[:0],
    }


@pytest.mark.parametrize("dtype", KINDS)
def test_arrays_of_all_kinds_are_copied_as_tensorflow_does(dtype: str) -> None:
    backend = load("tensorflow")
    for what, x in looks(dtype).items():
        found = backend.asarray(x)
        expected = tf.convert_to_tensor(x.astype(x.dtype.newbyteorder("=")))
        assert (found.dtype, found.shape, found.device) == (expected.dtype, expected.shape, expected.device), what
        np.testing.assert_array_equal(found.numpy(), x, err_msg=what)


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_small_arrays_are_taken_over_outside_of_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.ones(3, "float32")
    taken = arrays.is_adopted(x)
    assert taken == arrays._only_cpu()
    tensor = load("tensorflow").asarray(x)
    x += 1
    assert tensor.numpy().tolist() == [1, 1, 1], "a copy"
    assert not arrays.is_adopted(np.array(["a"]))

    @tf.function
    def in_graph() -> Any:
        assert not arrays.is_adopted(np.ones(3, "float32"))
        return tf.constant(0)

    in_graph()
    monkeypatch.setattr(arrays, "_only_cpu", lambda: False)
    assert not arrays.is_adopted(np.ones(3, "float32"))


PLACES = """
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], 2 * [tf.config.LogicalDeviceConfiguration()])
from polykeras.backend.registry import load
backend = load("tensorflow")
with backend.device_scope("cpu:1"):
    print(backend.asarray(np.ones(3, "float32")).device)
"""


@pytest.mark.slow
def test_a_device_scope_is_heeded() -> None:
    run = subprocess.run([sys.executable, "-c", PLACES], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.strip().endswith("CPU:1")


def test_ranges_to_a_number_that_a_graph_computes() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None,))])
    def positions(x: Any) -> Any:
        count = tf.shape(x)[0]
        return ops.arange(count), ops.arange(1, count, 2, "float32"), ops.arange(tf.reduce_sum(x)), ops.arange(9, count)

    with use_backend("tensorflow"):
        counted, odd, floats, none = positions(tf.ones(5))
    np.testing.assert_array_equal(counted, np.arange(5, dtype="int32"))
    np.testing.assert_array_equal(odd, np.array([1, 3], "float32"))
    assert none.shape == (0,)
    assert (counted.dtype, odd.dtype, floats.dtype) == (tf.int32, tf.float32, tf.float32)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("numbers", [(5,), (2, 7), (9, 2), (9, 2, -2), (2, 7.5), (1, 3, 0.5)])
def test_ranges_from_a_number_that_a_graph_computes(numbers: tuple[float, ...], dtype: str) -> None:
    @tf.function(input_signature=[tf.TensorSpec((), dtype)])
    def counted(first: Any) -> Any:
        return ops.arange(first, *numbers[1:])

    with use_backend("tensorflow"):
        found = counted(tf.constant(numbers[0], dtype))
    np.testing.assert_array_equal(found, np.arange(*numbers))
    whole = dtype != "float32" and all(isinstance(number, int) for number in numbers)
    assert found.dtype == (tf.int32 if whole else tf.float32)
