"""Symbolic tensors of the functional graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from polykeras import dtypes
from polykeras.backend.handles import Symbolic
from polykeras.common import nested
from polykeras.common.arguments import shape_tuple
from polykeras.common.naming import unique_name
from polykeras.common.supplied import Supplied
from polykeras.common.types import DTypeLike
from polykeras.operators import ArrayOperators

if TYPE_CHECKING:
    from polykeras.graph.operation import Node, Operation

record_op: Supplied[Callable[..., Any]] = Supplied("record_op", by="polykeras.graph.operation")
"""Records a call in the graph: `record_op(name, args, kwargs)` for an op, or a function instead of the name."""


class KerasHistory(NamedTuple):
    """The call that returned a tensor, as Keras tells it.

    Attributes:
        operation: what was called.
        node_index: the place of the call among those of the operation.
        tensor_index: the place of the tensor among the outputs.
    """

    operation: Operation
    node_index: int
    tensor_index: int


class KerasTensor(Symbolic, ArrayOperators):
    """A symbolic tensor of a functional graph: a shape and a dtype, without a value.

    Args:
        shape: a tuple of ints, with None for unknown sizes.
        dtype: the name of the dtype.
        sparse: kept for Keras code; arrays of polykeras are dense.
        ragged: kept for Keras code, like `sparse`.
        record_history: whether calls on this tensor become part of a graph.
        name: a name for messages.
        ragged_rank: kept for Keras code.
        row_splits_dtype: kept for Keras code.

    Raises:
        ValueError: both `sparse` and `ragged` are set.

    Attributes:
        history: the node that returns the tensor, and its place in that node's outputs; None for a free tensor.
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: DTypeLike = "float32",
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
        self.shape: tuple[int | None, ...] = shape_tuple(tuple(shape))
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
        """The number of elements; None if it is unknown."""
        total = 1
        for n in self.shape:
            if n is None:
                return None
            total *= n
        return total

    @property
    def _keras_history(self) -> KerasHistory:
        """Keras's name of `history`, which tools use to walk a graph. A free tensor has none."""
        if self.history is None:
            raise AttributeError(f"{self!r} has no `_keras_history`: no operation returned it.")
        node, place = self.history
        return KerasHistory(node.operation, node.index, place)

    @property
    def _keras_mask(self) -> Any:
        """The mask of the tensor, which is added to the graph when it is first read; None if there is none."""
        if "_mask" not in vars(self):
            self._mask = self.history[0].mask_of_output(self.history[1]) if self.history else None
        return self._mask

    @_keras_mask.setter
    def _keras_mask(self, mask: Any) -> None:
        self._mask = mask

    def apply_op(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a call of an op in the graph, and return its symbolic results."""
        name = function.__op_name__
        if name in ("shape", "ndim", "size"):
            return {"shape": self.shape, "ndim": self.ndim, "size": self.size}[name]
        return record_op.get()(name or function, args, kwargs)

    def reshape(self, newshape: Sequence[int]) -> KerasTensor:
        """Return the tensor in another shape."""
        return record_op.get()("reshape", (self, newshape), {})

    def squeeze(self, axis: int | Sequence[int] | None = None) -> KerasTensor:
        """Return the tensor without axes of size 1."""
        return record_op.get()("squeeze", (self,), {"axis": axis})

    def __truediv__(self, other: Any) -> Any:  # Keras has separate operations for the operator and for `divide`
        return record_op.get()("true_divide", (self, other), {})

    def __rtruediv__(self, other: Any) -> Any:
        return record_op.get()("true_divide", (other, self), {})

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def _no_value(self, what: str) -> TypeError:
        return TypeError(
            f"{self!r} has no value: {what} needs one. Symbolic tensors are placeholders while a model is "
            "defined. Use polykeras.ops on them, or move the code into a Lambda, such as `Lambda(function)(x)`, "
            "or into the `call` of a layer, where a framework's own functions work."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self._no_value("a NumPy function")

    # Frameworks' functions ask foreign objects for these methods. Operators with an array on the left then leave the
    # work to this class; JAX's operators would not do so if it had `__jax_array__`.
    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        raise self._no_value("a TensorFlow function")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (leaf for leaf in nested.flatten((args, kwargs)) if isinstance(leaf, cls))
        raise next(given)._no_value(f"the PyTorch function `{getattr(func, '__name__', func)}`")

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
