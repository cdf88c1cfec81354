"""Arrays, conversion from and to the host, devices and creation."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras import config, dtypes, fast
from polykeras.backend.axes import is_below, range_of
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.host_memory import aligned_copy, can_be_lent, has_numbers, is_worth_copying
from polykeras.backend.spec import Array, Shape
from polykeras.common.arguments import shape_tuple
from polykeras.dtypes import SCALARS
from polykeras_tensorflow.sizes import GraphSize, sizes_of

_DTYPES = {name: tf.as_dtype(name) for name in dtypes.ALL}
_WEAK = {bool: "bool", int: "int32", complex: "complex64"}


def _weak_dtype(kind: type) -> str:
    """Return the dtype of a Python number of type `kind`."""
    return _WEAK.get(kind) or config.floatx()


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return [leaf for part in values for leaf in _leaves(part)]
    return [values]


def _named_devices() -> dict[str, str]:
    """Return TensorFlow's names of the devices by our names, the default device first."""
    found = [*tf.config.list_logical_devices("GPU"), *tf.config.list_logical_devices("CPU")]
    return {device.name.rpartition("/device:")[2].lower(): device.name for device in found}  # after a cluster's worker


def find_device(name: str) -> str:
    """Return TensorFlow's name of a device, such as `"gpu:0"`; `"gpu"` and `"cpu"` are the first of their kind.

    Raises:
        ValueError: if there is no such device.
    """
    known = _named_devices()
    full_name = name if ":" in name else f"{name}:0"
    if full_name not in known:
        raise ValueError(f"The tensorflow backend has no device {name!r}. It has: {', '.join(known)}.")
    return known[full_name]


@cache
def _only_cpu() -> bool:
    """Return whether there is one device, a CPU, so that no scope can name another."""
    return [device.device_type for device in tf.config.list_logical_devices()] == ["CPU"]


def computes_on_cpu() -> bool:
    """Return whether computations run immediately, and on the CPU."""
    return tf.executing_eagerly() and (_only_cpu() or "CPU" in tf.constant(0.0).device)


@cache
def has_gpu() -> bool:
    """Return whether there is a GPU. A graph does not say where its nodes will run."""
    return bool(tf.config.list_physical_devices("GPU"))


def is_adopted(x: Any) -> bool:
    """Return whether `asarray` copies a NumPy array into memory that TensorFlow takes over.

    TensorFlow itself copies it twice, and keeps both copies for a while. For small arrays it takes two or three times
    as long. In a graph, an array becomes a constant, which TensorFlow folds.
    """
    if not isinstance(x, np.ndarray) or not has_numbers(x) or not tf.executing_eagerly():
        return False
    return computes_on_cpu() if is_worth_copying(x) else fast.enabled("adopted-memory") and _only_cpu()


def in_place(x: np.ndarray) -> Array:
    """Return a host array with aligned, writable memory as a tensor in the same memory."""
    return tf.experimental.dlpack.from_dlpack(x.__dlpack__())


def _of_one_dtype(*numbers: Any) -> list[Array]:
    """Return tensors of one dtype: that of a float tensor, else int64 for ints alone, and float64 with floats."""
    floats = [number.dtype for number in numbers if tf.is_tensor(number) and number.dtype.is_floating]
    whole = not any(isinstance(number, float | np.floating) for number in numbers)
    dtype = floats[0] if floats else tf.int64 if whole else tf.float64
    return [tf.cast(number, dtype) for number in numbers]


class TensorflowArrays(Arrays):
    """Arrays are `tf.Tensor`s."""

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        if isinstance(x, (tf.Variable, tf.IndexedSlices)):
            x = tf.convert_to_tensor(x)
        if isinstance(x, tf.Tensor):
            return x if dtype is None else self.cast(x, dtype)
        if isinstance(x, GraphSize):
            return self.asarray(x.tensor, dtype)
        if type(x) in SCALARS:
            return tf.constant(np.asarray(x, _DTYPES[dtype or _weak_dtype(type(x))].as_numpy_dtype))
        if isinstance(x, (list, tuple)):
            return self._from_list(x, dtype)
        return self._from_numpy(np.asarray(x), dtype)

    def _from_list(self, x: Any, dtype: str | None) -> Array:
        leaves = _leaves(x)
        if any(isinstance(leaf, (tf.Tensor, tf.Variable)) for leaf in leaves):
            if dtype is None:
                parts = [dtypes.weak(v) if type(v) in SCALARS else self.asarray(v).dtype.name for v in leaves]
                dtype = dtypes.result_type(*parts)
            return tf.stack([self.asarray(part, dtype) for part in x])
        if dtype is None and all(type(leaf) in SCALARS for leaf in leaves):
            dtype = dtypes.result_type(*map(dtypes.weak, leaves)) if leaves else config.floatx()
            return self._from_numpy(np.asarray(x, dtypes.numpy_dtype(dtype)), None)
        return self._from_numpy(np.asarray(x), dtype)

    def _from_numpy(self, x: np.ndarray, dtype: str | None) -> Array:
        if x.dtype.name not in _DTYPES:
            raise TypeError(f"Expected numbers; received {type(x).__name__} of dtype {x.dtype}.")
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        array = in_place(aligned_copy(x)) if is_adopted(x) else tf.convert_to_tensor(x)
        return array if dtype is None else self.cast(array, dtype)

    def to_numpy(self, x: Array) -> np.ndarray:
        if tf.is_symbolic_tensor(x):
            if x.op.type == "Const":  # its value is known, for instance from a NumPy array
                return np.array(tf.get_static_value(x))
            raise TypeError(
                f"to_numpy: {x.name!r} stands for a value inside a compiled function, which is not computed yet. "
                "Return it from the function and convert it outside."
            )
        return np.asarray(x.numpy())

    def borrows_in_place(self, x: Any) -> bool:
        # Unaligned memory crashes the process (TensorFlow 2.21).
        return can_be_lent(x) and fast.enabled("borrowed-memory") and computes_on_cpu()

    def borrow(self, x: Any) -> Array:
        return in_place(x) if self.borrows_in_place(x) else self.asarray(x)

    def place(self, x: Any) -> Array:
        if isinstance(x, tf.Tensor):
            return x
        return self.asarray(np.array(x) if isinstance(x, np.ndarray) and not is_adopted(x) else x)

    def is_traced(self, x: Any) -> bool:
        return tf.is_symbolic_tensor(x)

    def array_types(self) -> tuple[type, ...]:
        return (tf.Tensor,)

    def is_tensor(self, x: Any) -> bool:
        return isinstance(x, tf.Tensor)

    def shape(self, x: Array) -> tuple[int, ...]:
        return sizes_of(x)

    def dtype(self, x: Array) -> str:
        return x.dtype.name

    def cast(self, x: Array, dtype: str) -> Array:
        target = _DTYPES[dtype]
        source = x.dtype
        if source == target:
            return x
        # tf.cast warns about the imaginary part, in its value and its gradient. These two do not.
        if source.is_complex and not target.is_complex and target != tf.bool:
            return self.cast(self.real(x), dtype)
        if target.is_complex and not source.is_complex:
            part = self.cast(x, target.real_dtype.name)
            return tf.raw_ops.Complex(real=part, imag=tf.zeros_like(part), Tout=target)
        return tf.raw_ops.Cast(x=x, DstT=target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return tf.raw_ops.Bitcast(input=x, type=_DTYPES[dtype])

    def devices(self) -> list[str]:
        return list(_named_devices())

    def device_scope(self, device: str) -> AbstractContextManager[None]:
        return tf.device(find_device(device))

    def full(self, shape: Shape | int, fill_value: Any, dtype: str | None = None) -> Array:
        value = self.asarray(fill_value, dtype or config.floatx())
        dims = tf.convert_to_tensor(shape_tuple(shape), tf.int32)
        if value.shape.rank:
            return tf.raw_ops.BroadcastTo(input=value, shape=dims)
        return tf.raw_ops.Fill(dims=dims, value=value)

    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> Array:
        first, end, by, whole, target = range_of(start, stop, step, dtype)
        if any(map(tf.is_symbolic_tensor, (first, end, by))):  # a graph computes how far to count
            first, end, by = _of_one_dtype(first, end, by)
            steps = tf.range(tf.maximum(-((first - end) // by), 0)) * by + first
            return self.cast(steps, dtype or ("int32" if steps.dtype.is_integer else target))
        if whole:
            counter = tf.int64 if target in ("int64", "uint64", "float64") else tf.int32
            end = first if is_below((end - first) * by, 0) else end  # TensorFlow raises for an empty range
            return self.cast(tf.range(first, end, by, counter), target)
        # tf.range adds up its step, which accumulates errors: multiply instead.
        count = max(0, math.ceil((end - first) / by))
        return self.cast(tf.range(count, dtype=tf.float64) * float(by) + float(first), target)
