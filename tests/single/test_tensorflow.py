"""The tensorflow backend: its import, arrays that go in and out, ops in a user's `tf.function`."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from polykeras import ops
from polykeras.backend import use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = pytest.mark.needs("tensorflow")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


def gradients(tb: Any, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    return [g.numpy() for g in tb.value_and_grad(lambda xs: (tb.sum(fn(*xs)), None), [*map(tb.asarray, arrays)])[2]]


# ---- import ----------------------------------------------------------------------------------------------------------


def run_python(code: str, **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | environment
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.slow
def test_loading_imports_no_keras_and_leaves_it_to_the_user() -> None:
    code = """
import os, sys
from polykeras.backend.registry import load
b = load("tensorflow")
b.compile(lambda x: b.sum(x))(b.ones((2,)))
print("keras" in sys.modules, "tf_keras" in sys.modules, os.environ["TF_CPP_MIN_LOG_LEVEL"])
import keras
print(keras.backend.backend())
"""
    assert run_python(code, KERAS_BACKEND="tensorflow").split() == ["False", "False", "2", "tensorflow"]


@pytest.mark.slow
def test_a_keras_that_is_imported_already_stays() -> None:
    code = """
import keras, sys
from polykeras.backend.registry import load
load("tensorflow")
print(sys.modules["keras"] is keras)
"""
    assert run_python(code, KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3") == "True"


def test_memory_growth_is_set_on_each_gpu_that_is_not_in_use(tb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from polykeras_tensorflow.framework import share_memory

    grown = []

    def grow(device: str, enable: bool) -> None:
        grown.append((device, enable))
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}0", f"{kind}1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    share_memory()
    assert grown == [("GPU0", True), ("GPU1", True)]


# ---- arrays ----------------------------------------------------------------------------------------------------------


def test_a_users_tensor_is_the_array(tb: Any) -> None:
    x = tf.constant([1.0, 4.0])
    assert tb.is_tensor(x)
    assert tb.asarray(x) is x
    assert not tb.is_tensor(np.ones(2))
    assert isinstance(ops.sqrt(x), tf.Tensor)


def test_a_users_variable_is_read(tb: Any) -> None:
    variable = tf.Variable([1.0, 2.0])
    assert not tb.is_tensor(variable)
    x = tb.asarray(variable)
    variable.assign([5.0, 5.0])
    assert tb.is_tensor(x)
    np.testing.assert_array_equal(x, [1, 2])
    np.testing.assert_array_equal(ops.add(variable, 1), [6, 6])


def test_a_list_may_hold_tensors(tb: Any) -> None:
    x = tb.asarray([[tf.constant(1), 2.5], [3, True]])
    assert tb.dtype(x) == "float32"
    np.testing.assert_array_equal(x, [[1, 2.5], [3, 1]])


def test_arrays_of_other_frameworks_come_through_numpy(tb: Any) -> None:
    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.arange(3, dtype="int16")

    assert tb.dtype(tb.asarray(Foreign())) == "int16"
    assert tb.dtype(tb.asarray(np.arange(3, dtype=">f8"))) == "float64"


@pytest.mark.parametrize("value", ["text", ["text"], object(), None, np.array(["text"])])
def test_what_is_not_numeric_is_a_type_error(tb: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="Expected numbers"):
        tb.asarray(value)


def test_bfloat16_goes_to_numpy_and_back(tb: Any) -> None:
    host = tb.to_numpy(tb.asarray([1.0, 2.5], "bfloat16"))
    assert host.dtype.name == "bfloat16"
    assert tb.dtype(tb.asarray(host)) == "bfloat16"


def test_placed_data_has_memory_of_its_own(tb: Any) -> None:
    host = np.zeros(1000, "float32")
    x = tb.place(host)
    host[:] = 1
    np.testing.assert_array_equal(x, np.zeros(1000))
    back = tb.to_numpy(x)
    back[:] = 2
    np.testing.assert_array_equal(x, np.zeros(1000))


def test_a_cpu_is_there_and_an_unknown_device_is_an_error(tb: Any) -> None:
    assert "cpu:0" in tb.devices()
    with tb.device_scope("cpu"):
        assert tb.ones((2,)).device.lower().endswith("cpu:0")
    with pytest.raises(ValueError, match=r"'tpu:7'.*cpu:0"):
        tb.device_scope("tpu:7")


def test_complex_casts_do_not_warn_of_a_lost_imaginary_part(tb: Any, caplog: pytest.LogCaptureFixture) -> None:
    x = tf.constant([1.0, 2.0])
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        assert gradients(tb, lambda x: tb.cast(tb.cast(x, "complex64"), "float32"), x)[0].tolist() == [1, 1]
        assert tb.cast(tf.constant([1 + 2j]), "int32").numpy().tolist() == [1]
    assert caplog.records == []


# ---- a user's tf.function --------------------------------------------------------------------------------------------


def test_ops_run_inside_a_users_function_and_tape(tb: Any) -> None:
    weight = tf.Variable([[1.0], [2.0]])

    @tf.function
    def loss(x: Any) -> Any:
        return ops.sum(ops.square(ops.matmul(x, weight)))

    with tf.GradientTape() as tape:
        value = loss(tf.constant([[1.0, 1.0]]))
    assert value.numpy() == 9
    np.testing.assert_array_equal(tape.gradient(value, weight), [[6], [6]])


def test_values_that_are_not_computed_yet_are_refused(tb: Any) -> None:
    with pytest.raises(TypeError, match="not computed yet"):
        tb.compile(tb.to_numpy)(tf.ones(2))
    with pytest.raises(TypeError, match="nonzero"):
        tb.compile(tb.nonzero)(tf.ones(2))


def test_an_unknown_size_that_decides_is_an_error_that_says_what_to_do(tb: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 2))], autograph=False)
    def halves(x: Any) -> Any:
        return tb.mean(x) if tb.shape(x)[0] > 1 else x

    with pytest.raises(TypeError, match="input_signature"):
        halves(tf.ones((3, 2)))


def test_tracing_can_be_told(tb: Any) -> None:
    seen = []
    tb.compile(lambda x: seen.append((tb.is_traced(x), tb.is_traced(1.0))) or x)(tf.ones(2))
    assert seen == [(True, False)]
    assert not tb.is_traced(tf.ones(2))
    assert tb.execution.compiles
