"""Arrays, the host and devices on JAX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from polykeras import config, dtypes, fast
from polykeras.backend.axes import range_of
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.host_memory import aligned_copy, can_be_lent, is_worth_copying
from polykeras.backend.spec import Array, Shape
from polykeras.common import nested
from polykeras_jax.layouts import whole
from polykeras_jax.traces import current_trace

NARROWED = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}
_X64_HINT = (
    "is switched off in JAX. Set the environment variable JAX_ENABLE_X64=1 (or call "
    'jax.config.update("jax_enable_x64", True)) before any array is made'
)
_NAMES = {dtypes.numpy_dtype(name): name for name in dtypes.ALL}


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the name of a NumPy dtype."""
    return _NAMES.get(dtype) or str(dtype)


def has_64_bits() -> bool:
    """Return whether JAX is in 64-bit mode in this context."""
    return jax.dtypes.canonicalize_dtype("int64") == "int64"


def native_dtype(dtype: str) -> np.dtype[Any]:
    """Return the NumPy dtype that JAX uses for a requested dtype.

    Raises:
        TypeError: a 64-bit dtype is requested in 32-bit mode, where JAX would narrow the values.
    """
    if dtype in NARROWED and not has_64_bits():
        raise TypeError(f"dtype {dtype!r} {_X64_HINT}, or ask for {NARROWED[dtype]!r}.")
    return dtypes.numpy_dtype(dtype)


def held_dtype(dtype: str) -> str:
    """Return the dtype in which JAX stores host data of `dtype`: 32 bits instead of 64 in 32-bit mode."""
    return dtype if has_64_bits() else NARROWED.get(dtype, dtype)


def strong(x: Array) -> Array:
    """Return `x` without JAX's "weak type", which marks Python scalars and makes equal dtypes compare as different."""
    return lax.convert_element_type(x, x.dtype)


def settled(x: Any, like: Array) -> Array:
    """Return `x` as a replacement for `like`: in its dtype, if `x` is weakly typed and promotes to that dtype."""
    x = jnp.asarray(x)
    if x.weak_type:
        kind = {"b": "bool", "i": "int*", "f": "float*", "c": "complex*"}[x.dtype.kind]
        if dtypes.result_type(name_of(like.dtype), kind) == name_of(like.dtype):
            return lax.convert_element_type(x, like.dtype)
    return strong(x)


def split_arrays(structure: Any) -> tuple[list[Array], Callable[[list[Array]], Any]]:
    """Return the JAX arrays of a tree, and a function that rebuilds the tree around new arrays."""
    leaves, definition = nested.flatten_with_def(structure)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]

    def rebuild(arrays: list[Array]) -> Any:
        filled = list(leaves)
        for i, array in zip(places, arrays, strict=True):
            filled[i] = array
        return nested.unflatten(definition, filled)

    return [leaves[i] for i in places], rebuild


def _host_array(x: Any, dtype: str | None) -> np.ndarray:
    """Return host data as a NumPy array of a dtype that JAX can store."""
    host = np.asarray(x)
    name = name_of(host.dtype.newbyteorder("="))
    if name not in dtypes.ALL:
        raise TypeError(f"Expected numbers or bools; received {type(x).__name__} of dtype {host.dtype}: {x!r:.60}")
    if dtype is not None:
        target = native_dtype(dtype)
    elif isinstance(x, np.ndarray | np.generic) or not isinstance(x, list | tuple | int | float | complex):
        target = native_dtype(held_dtype(name))
    else:  # Python numbers have no width
        target = native_dtype({"float64": config.floatx(), "int64": "int32", "complex128": "complex64"}.get(name, name))
        if name == "int64":
            return np.asarray(x, target)  # raises OverflowError if a number does not fit
    if np.iscomplexobj(host) and target.kind in "fiu":
        host = np.real(host)
    with np.errstate(over="ignore", invalid="ignore"):
        return host.astype(target, copy=False)


def is_whole(x: Array) -> bool:
    """Return whether an array is not sharded over devices; a sharded array's JAX type says so.

    In a program of all workers, an array is the part of one device, and whole in this sense.
    """
    sharding = getattr(x.aval, "sharding", None)
    return sharding is None or sharding.mesh.empty or current_trace().in_workers


def on_cpu() -> bool:
    """Return whether new work goes to the CPU."""
    settings: Any = jax.config  # not its `values`, which builds a dict of all settings each time
    device = settings.jax_default_device  # a device, the name of a platform, or None
    return (getattr(device, "platform", device) or jax.default_backend()) == "cpu"


def _adopted(host: np.ndarray) -> Array:
    """Return a copy that NumPy makes in memory that JAX takes over, several times as fast as a copy by JAX."""
    return jax.device_put(aligned_copy(host), may_alias=True)


def _named_devices() -> dict[str, Any]:
    """Return the devices of this process. JAX numbers devices over all processes, and ours begin at 0 in each."""
    found = jax.local_devices()
    kinds = [found] if found[0].platform == "cpu" else [found, jax.local_devices(backend="cpu")]
    return {f"{device.platform}:{place}": device for kind in kinds for place, device in enumerate(kind)}


def find_device(name: str) -> Any:
    """Return the device named `name`, such as `"gpu:0"`, or the first of a kind, such as `"gpu"`.

    Raises:
        ValueError: no such device exists.
    """
    known = _named_devices()
    for full_name, device in known.items():
        if name in (full_name, device.platform):
            return device
    raise ValueError(f"The jax backend has no device {name!r}. It has: {', '.join(known)}.")


class JaxArrays(Arrays):
    """See `polykeras.backend.families.arrays`."""

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        """The dtypes that JAX lacks in 32-bit mode, each with a hint."""
        if has_64_bits():
            return {}
        return {wide: f"{_X64_HINT}, or use {narrow!r}." for wide, narrow in NARROWED.items()}

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        if isinstance(x, jax.Array):
            return x if dtype is None or name_of(x.dtype) == dtype else self.cast(x, dtype)
        if isinstance(x, list | tuple):
            leaves = nested.flatten(x)
            if any(isinstance(leaf, jax.Array) for leaf in leaves):
                if dtype is None:
                    kinds = [
                        dtypes.weak(v) if type(v) in (bool, int, float, complex) else self.dtype(self.asarray(v))
                        for v in leaves
                    ]
                    dtype = dtypes.result_type(*kinds)
                return jnp.stack([self.asarray(part, dtype) for part in x])
        host = _host_array(x, dtype)
        return _adopted(host) if is_worth_copying(host) and on_cpu() else jnp.asarray(host)

    def place(self, x: Any) -> Array:
        # `jnp.array(x, copy=True)` would compile a copy for each shape, which slows a model's first step.
        if isinstance(x, Tracer):
            return x
        if isinstance(x, jax.Array):
            # `device_put` refuses arrays that are cut over processes.
            return jax.device_put(x, may_alias=False) if x.is_fully_addressable else jnp.copy(x)
        return jax.device_put(np.array(_host_array(x, None)))  # a copy, because JAX may use NumPy's memory in place

    def borrows_in_place(self, x: Any) -> bool:
        fits = can_be_lent(x) and (x.dtype.itemsize < 8 or has_64_bits())
        return fits and on_cpu() and fast.enabled("borrowed-memory")

    def borrow(self, x: Any) -> Array:
        return jax.device_put(x, may_alias=True) if self.borrows_in_place(x) else self.asarray(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        value = lax.stop_gradient(x) if isinstance(x, Tracer) else x  # in an eager gradient, this is the array itself
        if isinstance(value, Tracer):
            raise TypeError(
                "Expected an array with values; received one that stands for a value inside a compiled or mapped "
                f"function: {name_of(x.dtype)}{list(x.shape)}. Return it from that function and convert the result."
            )
        return np.asarray(whole(value))

    def array_types(self) -> tuple[type, ...]:
        return jax.Array, Tracer

    def is_tensor(self, x: Any) -> bool:
        return isinstance(x, jax.Array)

    def is_traced(self, x: Any) -> bool:
        return isinstance(x, Tracer) and isinstance(lax.stop_gradient(x), Tracer)

    def shape(self, x: Array) -> tuple[int, ...]:
        return x.shape

    def dtype(self, x: Array) -> str:
        return _NAMES.get(x.dtype) or str(x.dtype)

    def cast(self, x: Array, dtype: str) -> Array:
        target = native_dtype(dtype)
        if x.dtype == target:
            return strong(x) if x.weak_type else x
        if target.kind == "b":
            return lax.ne(x, lax.full_like(x, 0))
        if x.dtype.kind == "c" and target.kind != "c":
            x = lax.real(x)
        return lax.convert_element_type(x, target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return lax.bitcast_convert_type(x, native_dtype(dtype))

    def devices(self) -> list[str]:
        return list(_named_devices())

    def device_scope(self, device: str) -> AbstractContextManager[None]:
        return jax.default_device(find_device(device))

    def full(self, shape: Shape | int, fill_value: Any, dtype: str | None = None) -> Array:
        return jnp.full(shape, self.asarray(fill_value, dtype or config.floatx()))

    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> Array:
        first, end, by, whole, dtype = range_of(start, stop, step, dtype)
        if not whole or dtypes.is_float(dtype):
            return self.asarray(np.arange(first, end, by, dtype="float64"), dtype)
        return jnp.arange(first, end, by, native_dtype(dtype))
