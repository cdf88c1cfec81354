"""Layers with TensorFlow's functions in a map over a `tf.data.Dataset`, whatever the backend is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# `tf.map_fn` has AutoGraph rewrite the loop; AutoGraph leaves `call` and our code alone, as it leaves Keras's.
SCRIPT = """
import numpy as np, tensorflow as tf
import polykeras as keras
class Sums(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self._convert_input_args = False
    def call(self, x):
        assert len(keras.ops.shape(x)) == 1
        def sum_to(n):
            total = n * 0
            for i in range(n):
                total = total + i
            return total
        return tf.map_fn(sum_to, x)
data = tf.data.Dataset.from_tensor_slices(np.array([[1, 2], [3, 4]], "int32"))
print([x.numpy().tolist() for x in data.map(Sums())])
print([x.numpy().tolist() for x in data.map(lambda x: Sums()(x))])
"""


@pytest.mark.slow
@pytest.mark.needs("tensorflow", "torch")
@pytest.mark.parametrize("backend_name", ["numpy", "torch", "tensorflow"])
def test_a_loop_within_a_function_of_tensorflow(tmp_path: Path, backend_name: str) -> None:
    script = tmp_path / "program.py"  # AutoGraph reads the source
    script.write_text(SCRIPT)
    env = os.environ | {"POLYKERAS_BACKEND": backend_name}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, env=env)
    assert done.stdout.split("\n")[:2] == ["[[0, 1], [3, 6]]"] * 2, done.stderr
