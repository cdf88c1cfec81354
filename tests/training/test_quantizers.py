"""Quantizers: the numbers that Keras 3.15 gives, recorded once, on each backend."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from polykeras import autodiff, ops, quantizers
from polykeras.backend import Backend
from polykeras.variables import Variable

X = np.arange(-6, 6, dtype="float32").reshape(4, 3) / 3


def test_abs_max(backend: Backend) -> None:
    numbers, scales = quantizers.AbsMaxQuantizer(axis=0)(X)
    expected = [[-127, -127, -102], [-64, -51, -25], [0, 25, 51], [64, 102, 127]]
    np.testing.assert_array_equal(backend.to_numpy(numbers), expected)
    np.testing.assert_allclose(backend.to_numpy(scales), [[63.5, 76.2, 76.2]], rtol=1e-6)
    assert ops.dtype(numbers) == "int8"


def test_blocks_with_zero_points(backend: Backend) -> None:
    numbers, steps, zeros = quantizers.abs_max_quantize_grouped_with_zero_point(X, 2)
    np.testing.assert_array_equal(backend.to_numpy(numbers), [[-8, -8, -8], [-8, -3, 2], [-8, -3, 2], [7, 7, 7]])
    np.testing.assert_allclose(backend.to_numpy(steps), np.full((2, 3), 1 / 15), rtol=1e-6)
    np.testing.assert_array_equal(backend.to_numpy(zeros), [[7, 7, 7], [-8, -8, -8]])
    numbers, steps, zeros = quantizers.abs_max_quantize_grouped_with_zero_point(X, 3)  # the last block is filled up
    assert [ops.shape(part) for part in (numbers, steps, zeros)] == [(4, 3), (2, 3), (2, 3)]


def test_fake_quantization(backend: Backend) -> None:
    seen = quantizers.fake_quant_with_min_max_vars(X, -1.0, 1.5, num_bits=4)
    expected = [[-1, -1, -1], [-1, -0.6666667, -0.33333334], [0, 0.33333334, 0.6666667], [1, 1.3333334, 1.5]]
    np.testing.assert_allclose(backend.to_numpy(seen), expected, atol=1e-6)
    least, most = np.array([-1.0, -0.5, -2.0]), np.array([1.0, 0.5, 1.0])
    seen = quantizers.fake_quant_with_min_max_vars(X, least, most, num_bits=4, axis=1, narrow_range=True)
    expected = [
        [-1, -0.5, -1.2857143], [-1, -0.5, -0.42857143], [0, 0.35714287, 0.64285713], [1, 0.5, 1.0714285]
    ]  # fmt: skip
    np.testing.assert_allclose(backend.to_numpy(seen), expected, atol=1e-6)


def test_gradients_of_fake_quantization(backend: Backend) -> None:
    x, bounds = Variable([-3.0, 0.2, 0.4, 5.0]), [Variable(-1.0), Variable(1.0)]

    def total() -> object:
        return ops.sum(ops.multiply(quantizers.fake_quant_with_min_max_vars(x, *bounds), [1.0, 2.0, 3.0, 4.0]))

    _, gradients = autodiff.value_and_grad(total, [x, *bounds])()
    seen = [backend.to_numpy(g) for g in gradients]
    np.testing.assert_allclose(seen[0], [0, 2, 3, 0])
    np.testing.assert_allclose(seen[1:], [1, 4])


def test_packing(backend: Backend) -> None:
    numbers = np.array([[1, -8, 7], [3, 4, -5], [0, 1, 2]], "int8")
    packed, shape, size = quantizers.pack_int4(numbers)
    np.testing.assert_array_equal(backend.to_numpy(packed), [[49, 72, -73], [0, 1, 2]])
    assert (shape, size) == ((2, 3), 3)
    for axis in (0, 1, -1):
        packed, _, size = quantizers.pack_int4(numbers, axis)
        np.testing.assert_array_equal(backend.to_numpy(quantizers.unpack_int4(packed, size, axis)), numbers)
    unsigned = np.array([15, 8, 3], "uint8")
    packed, _, size = quantizers.pack_int4(unsigned, dtype="uint8")
    np.testing.assert_array_equal(backend.to_numpy(quantizers.unpack_int4(packed, size, dtype="uint8")), unsigned)
    with pytest.raises(TypeError, match="expected an array of int8"):
        quantizers.pack_int4(unsigned)


def test_packing_four_or_five_in_a_byte(backend: Backend) -> None:
    numbers = np.array([[-2, -1], [0, 1], [1, 1], [-1, 0], [1, -2]], "int8")
    packed, shape, size = quantizers.pack_int2(numbers)
    np.testing.assert_array_equal(backend.to_numpy(packed), [[-46, 23], [1, 2]])
    assert (shape, size) == ((2, 2), 5)
    trits = np.array([[1, -1, 0, 1, 1, -1]], "float32")
    bytes_, shape, size = quantizers.pack_ternary(trits, axis=1)
    np.testing.assert_array_equal(backend.to_numpy(bytes_), np.array([[227, 120]], "uint8"))
    assert (shape, size) == ((1, 2), 6)
    for axis in (0, 1, -1):
        packed, _, size = quantizers.pack_int2(numbers, axis)
        np.testing.assert_array_equal(backend.to_numpy(quantizers.unpack_int2(packed, size, axis)), numbers)
        packed, _, size = quantizers.pack_ternary(numbers + 0.4, axis)
        found = backend.to_numpy(quantizers.unpack_ternary(packed, size, axis))
        assert found.dtype == "int8"
        np.testing.assert_array_equal(found, np.maximum(numbers, -1))
    unsigned = np.array([3, 0, 2, 1, 3], "uint8")
    packed, _, size = quantizers.pack_int2(unsigned, dtype="uint8")
    np.testing.assert_array_equal(backend.to_numpy(quantizers.unpack_int2(packed, size, dtype="uint8")), unsigned)
    with pytest.raises(TypeError, match="pack_int2: expected an array of int8"):
        quantizers.pack_int2(unsigned)


def test_eight_bit_floats() -> None:
    seen = quantizers.quantize_and_dequantize(
        np.float32([0.3, 500.0, -1.7]), np.float32(0.5), "float8_e4m3fn", "float32"
    )
    np.testing.assert_allclose(seen, [0.3125, 224.0, -1.75])
    np.testing.assert_allclose(quantizers.compute_float8_scale(np.float32(3), np.float32(2), 448.0), 0.0066964286)
    assert float(quantizers.compute_float8_scale(np.float32(0), np.float32(2), 448.0)) == 2.0
    np.testing.assert_allclose(quantizers.compute_float8_amax_history(X, np.float32([1, 2, 3, 4])), [2, 3, 4, 1])


def test_configs() -> None:
    quantizer = quantizers.get("AbsMaxQuantizer", axis=-1)
    assert quantizer.get_config() == {
        "value_range": (-127, 127), "epsilon": 1e-7, "output_dtype": "int8", "axis": (-1,)
    }  # fmt: skip
    assert quantizers.deserialize(quantizers.serialize(quantizer)).axis == (-1,)
    assert "axis" not in quantizers.AbsMaxQuantizer().get_config()


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_eight_bit_floats_are_those_of_ml_dtypes(dtype: str) -> None:
    x = np.float32(np.random.default_rng(0).normal(size=500) * 10.0 ** np.random.default_rng(1).integers(-5, 3, 500))
    seen = quantizers.quantize_and_dequantize(x, 1.0, dtype, "float32")
    limit = float(ml_dtypes.finfo(dtype).max)
    np.testing.assert_array_equal(seen, np.clip(x, -limit, limit).astype(getattr(ml_dtypes, dtype)).astype("float32"))
