"""Requirements of a layer on its inputs, and the errors for inputs that do not meet them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.graph.inference import known_shape


class InputSpec:
    """A rank, a shape or a dtype that an input must have.

    Args:
        dtype: required dtype, or None.
        shape: required shape, with None for sizes that are free.
        ndim: required rank.
        max_ndim: largest rank.
        min_ndim: smallest rank.
        axes: required sizes by axis.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or too many.
        name: name of the input, kept for Keras code; it is not checked.
        optional: whether None may be passed instead of an array.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items() if size is not None}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        parts = [f"{key}={value}" for key, value in vars(self).items() if value]
        return f"InputSpec({', '.join(parts)})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain data, without the name, like Keras."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSpec:
        """Return the spec that a config describes."""
        return cls(**config)

    def complaint(self, shape: tuple[int | None, ...], dtype: str) -> str | None:
        """Return what is wrong with an input of this shape and dtype, or None.

        Args:
            shape: the shape of the input; unknown sizes are None, and fit any size.
            dtype: the name of the input's dtype.
        """
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim and not self.allow_last_axis_squeeze:
            return f"expected {self.ndim} axes (ndim={self.ndim}); received {ndim}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"expected at least {self.min_ndim} axes (min_ndim={self.min_ndim}); received {ndim}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected at most {self.max_ndim} axes (max_ndim={self.max_ndim}); received {ndim}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype {self.dtype}; received {dtype}"
        for axis, size in self.axes.items():
            if -ndim <= axis < ndim and shape[axis] not in (size, None):
                return f"expected axis {axis} to have size {size}; received {shape[axis]}"
        if self.shape is not None:
            want, have = self.shape, shape
            if self.allow_last_axis_squeeze:
                want, have = (s[:-1] if s and s[-1] == 1 else s for s in (want, have))
            if len(want) != len(have) or any(w not in (None, h) for w, h in zip(want, have, strict=True)):
                return f"expected shape {self.shape}; received {shape}"
        return None


def assert_input_compatibility(layer: Any, inputs: Any, backend: Backend) -> None:
    """Check the inputs of a layer against its `input_spec`, if it has one.

    Raises:
        ValueError: an input does not fit; the message names the layer, the input, what was expected and what received.
    """
    spec = layer.input_spec
    if spec is None:
        return
    if isinstance(spec, InputSpec) and backend.is_tensor(inputs):
        specs, leaves = [spec], [inputs]
    else:
        specs, leaves = nested.flatten(spec), nested.flatten(inputs)
    if len(specs) != len(leaves):
        raise ValueError(f"{layer._title()} expects {len(specs)} input(s); received {len(leaves)}.")
    for i, (one, leaf) in enumerate(zip(specs, leaves, strict=True)):
        if one is None or not backend.is_tensor(leaf):
            continue
        shape = known_shape(backend, leaf)
        complaint = one.complaint(shape, backend.dtype(leaf))
        if complaint:
            which = f"input {one.name or i}" if len(specs) > 1 or one.name else "the input"
            hint = _axes_hint(one, shape, layer._input_axes)
            raise ValueError(f"{layer._title()}: {which} does not fit: {complaint} (full shape {shape}).{hint}")


def _axes_hint(spec: InputSpec, shape: tuple[int | None, ...], names: tuple[str, ...]) -> str:
    """Return a hint if the shape has another number of axes than the layer's named axes, else an empty string."""
    if len(names) != spec.ndim or len(shape) == len(names):
        return ""
    how = " `x[None]` adds an axis in front, for a batch of one; `x[..., None]` adds one at the end."
    return f" The axes are ({', '.join(names)}).{how if len(shape) < len(names) else ''}"
