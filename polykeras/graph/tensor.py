"""Symbolic tensors of the functional graph, and shape inference by running code on the symbolic backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from polykeras import dtypes, tree
from polykeras.backend import Backend, registry
from polykeras.backend.door import Symbolic
from polykeras.backend.symbolic import SYMBOLIC, SymbolicArray, UnknownDim, last_look, stand_in
from polykeras.naming import unique_name
from polykeras.operators import ArrayOperators
from polykeras.variables import Scope

if TYPE_CHECKING:
    from polykeras.graph.operation import Node

# Two sizes that stand for an unknown one while shapes are inferred: with many divisors, so that reshapes fit. A
# dimension of the result that changes with them is unknown too.
_STAND_INS = (2520, 5040)


class KerasTensor(Symbolic, ArrayOperators):
    """A place in a functional graph: a shape and a dtype, without a value.

    Args:
        shape: ints, with None for unknown sizes.
        dtype: by name.
        sparse: kept for Keras code: arrays of polykeras are dense.
        ragged: kept in the same way.
        record_history: False lets no operation become part of a graph by this tensor.
        name: for messages.
        ragged_rank: kept in the same way.
        row_splits_dtype: kept in the same way.

    Raises:
        ValueError: both sparse and ragged.

    Attributes:
        history: the node that gives it and the place among that node's outputs; None for a free one.
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        *,
        ragged_rank: int | None = None,
        row_splits_dtype: Any = None,
    ) -> None:
        if sparse and ragged:
            raise ValueError("A KerasTensor is sparse or ragged, not both.")
        self.shape: tuple[int | None, ...] = tuple(shape)
        self.dtype = dtypes.standardize_dtype(dtype)
        self.sparse, self.ragged, self.ragged_rank = sparse, ragged, ragged_rank
        self.row_splits_dtype = row_splits_dtype and dtypes.standardize_dtype(row_splits_dtype)
        self.record_history = record_history
        self.name = name or unique_name("keras_tensor")
        self.history: tuple[Node, int] | None = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int | None:
        """The number of elements, None where it is unknown."""
        total = 1
        for n in self.shape:
            if n is None:
                return None
            total *= n
        return total

    @property
    def _keras_mask(self) -> Any:
        """The mask that comes with it, made part of the graph when it is first asked for; None where there is none."""
        if "_mask" not in vars(self):
            self._mask = self.history[0].mask_of_output(self.history[1]) if self.history else None
        return self._mask

    @_keras_mask.setter
    def _keras_mask(self, mask: Any) -> None:
        self._mask = mask

    # Makes an op part of the graph: `record_op(name, args, kwargs)`, or a function without a name.
    # `polykeras.graph.operation` sets it, which is built on this module.
    record_op: ClassVar[Callable[..., Any]]

    def apply_op(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record an op as an operation of the graph and return its symbolic results."""
        name = function.__op_name__
        if name in ("shape", "ndim", "size"):
            return {"shape": self.shape, "ndim": self.ndim, "size": self.size}[name]
        return type(self).record_op(name or function, args, kwargs)

    def reshape(self, newshape: Sequence[int]) -> Any:
        """Return the tensor in another shape."""
        return KerasTensor.record_op("reshape", (self, newshape), {})

    def squeeze(self, axis: int | Sequence[int] | None = None) -> Any:
        """Return the tensor without axes of size 1."""
        return KerasTensor.record_op("squeeze", (self,), {"axis": axis})

    def __truediv__(self, other: Any) -> Any:  # Keras has an operation for the operator, beside that for `divide`
        return KerasTensor.record_op("true_divide", (self, other), {})

    def __rtruediv__(self, other: Any) -> Any:
        return KerasTensor.record_op("true_divide", (other, self), {})

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def _no_value(self, what: str) -> TypeError:
        return TypeError(
            f"{self!r} has no value: {what} needs one. Symbolic tensors are placeholders while a model is put "
            "together; use polykeras.ops on them, or move the code into a Lambda or a layer's `call`."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self._no_value("a NumPy function")

    def __bool__(self) -> bool:
        raise self._no_value("a Python `if`")

    def __iter__(self) -> Any:
        raise self._no_value("iteration")

    def __float__(self) -> float:
        raise self._no_value("float()")

    def __int__(self) -> int:
        raise self._no_value("int()")


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is a symbolic tensor of a functional graph."""
    return isinstance(x, KerasTensor)


def _stand_in(leaf: Any, size: int) -> Any:
    if not isinstance(leaf, KerasTensor):
        return leaf
    return SymbolicArray(tuple(UnknownDim(size) if n is None else n for n in leaf.shape), leaf.dtype)


def _known(dims: tuple[int, ...]) -> tuple[int | None, ...]:
    return tuple([None if isinstance(n, UnknownDim) else n for n in dims])


def known_shape(backend: Backend, x: Any) -> tuple[int | None, ...]:
    """Return the shape of an array of `backend`, with None in place of the sizes that stand for unknown ones."""
    return _known(x.dims) if isinstance(x, SymbolicArray) else backend.shape(x)


def _merge(first: Any, second: Any) -> Any:
    if not isinstance(first, SymbolicArray):
        return first
    shape = zip(_known(first.dims), _known(second.dims), strict=True)
    return KerasTensor(tuple(a if a == b else None for a, b in shape), first.dtype)


class _Inference:
    """What is known while shapes are inferred: the backend outside, and what was given stand-ins as attributes."""

    def __init__(self) -> None:
        self.outside = registry.chosen()
        self.attributes: list[tuple[Any, str, dict[str, Any]]] = []

    def take_back(self) -> None:
        """Give attributes that hold stand-ins the values that they had before, or none."""
        for owner, name, before in reversed(self.attributes):
            if isinstance(vars(owner).get(name), SymbolicArray):
                vars(owner).pop(name)
                vars(owner).update(before)


_inference: ContextVar[_Inference | None] = ContextVar("polykeras_inference", default=None)


@contextmanager
def outside_inference() -> Iterator[None]:
    """Make the backend current that is so outside of shape inference, as for a layer's `build`, whose arrays stay."""
    inference = _inference.get()
    if inference is None or registry.chosen() is not SYMBOLIC:
        yield
    else:
        with registry.use_chosen(inference.outside):
            yield


def note_stand_in(owner: Any, name: str) -> None:
    """Note that an attribute is about to be given an array without a value, which it must not keep."""
    inference = _inference.get()
    if inference is not None:
        inference.attributes.append((owner, name, {name: vars(owner)[name]} if name in vars(owner) else {}))


def infer_outputs(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the symbolic results of `fn` on arguments that hold `KerasTensor`s.

    `fn` runs on the symbolic backend: once, and where it looked at an unknown size, and so may have lost the mark of
    it, again with another stand-in. Whatever it assigns to variables is dropped, and arrays without values that it
    leaves in attributes of layers too.
    """
    inference = _Inference()

    def run(size: int) -> Any:
        call_args, call_kwargs = tree.map_structure(lambda leaf: _stand_in(leaf, size), (args, kwargs))
        before, outer = stand_in.set(size), _inference.set(_inference.get() or inference)
        try:
            with registry.use_backend(SYMBOLIC), Scope(closed=True):
                return fn(*call_args, **call_kwargs)
        finally:
            stand_in.reset(before)
            _inference.reset(outer)
            inference.take_back()

    before = last_look()
    first = run(_STAND_INS[0])
    second = first if last_look() == before else run(_STAND_INS[1])
    return tree.map_structure(_merge, first, second)
