"""One-hot vectors of class numbers: the dtypes are those of Keras 3.15.1."""

from __future__ import annotations

import numpy as np

import polykeras as keras
from polykeras import ops
from polykeras.backend import Backend


def test_arrays_of_the_host_become_float64() -> None:
    for numbers in ([0, 2], np.array([[0], [2]]), np.uint8([0, 2])):
        found = keras.utils.to_categorical(numbers)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, [[1, 0, 0], [0, 0, 1]])


def test_arrays_of_the_backend_stay_on_it(backend: Backend) -> None:
    found = keras.utils.to_categorical(ops.convert_to_tensor([[0], [2]], "int32"), 4)
    if backend.name != "numpy":  # whose arrays are those of the host
        assert backend.is_tensor(found)
        assert ops.dtype(found) == "float32"
    np.testing.assert_array_equal(backend.to_numpy(found), [[1, 0, 0, 0], [0, 0, 1, 0]])
