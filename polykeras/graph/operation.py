"""Operations and the nodes of a graph: one node for each call of an operation on symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from polykeras import ops, tree
from polykeras.common import nested
from polykeras.common.naming import to_snake_case, unique_name
from polykeras.graph.inference import infer_outputs
from polykeras.graph.tensor import KerasTensor, record_op
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry

_makers: WeakKeyDictionary[Operation, WeakMethod[Callable[[], Any]]] = WeakKeyDictionary()


def when_asked(operation: Operation, make: Callable[[], Any]) -> None:
    """Let a method call an operation in a graph when its inputs or outputs are asked for and there are none."""
    _makers[operation] = WeakMethod(make)


class Node:
    """One call of an operation.

    Args:
        operation: the operation.
        args: its positional arguments, which contain symbolic tensors.
        kwargs: its keyword arguments.
        outputs: its outputs, a tree of symbolic tensors.

    Attributes:
        outputs: the outputs; inputs that were returned as they are have been replaced by new tensors.
        input_tensors: a flat list of the symbolic tensors in the arguments.
        output_tensors: a flat list of the symbolic tensors in `outputs`.
    """

    __slots__ = ("args", "input_tensors", "kwargs", "operation", "output_tensors", "outputs")

    def __init__(self, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.input_tensors = [leaf for leaf in nested.flatten((args, kwargs)) if isinstance(leaf, KerasTensor)]
        leaves, definition = nested.flatten_with_def(outputs)
        given = set(map(id, self.input_tensors))
        if not given.isdisjoint(map(id, leaves)):  # a tensor that is passed through must not lose its own history
            leaves = [KerasTensor(leaf.shape, leaf.dtype) if id(leaf) in given else leaf for leaf in leaves]
            outputs = nested.unflatten(definition, leaves)
        self.outputs = outputs
        self.output_tensors = [leaf for leaf in leaves if isinstance(leaf, KerasTensor)]
        if not all(tensor.record_history for tensor in self.input_tensors):
            for tensor in self.output_tensors:
                tensor.record_history = False
            return
        for i, tensor in enumerate(self.output_tensors):
            tensor.history = (self, i)
        operation.inbound_nodes.append(self)

    @property
    def index(self) -> int:
        """The place of this call among those of its operation."""
        return next(i for i, node in enumerate(self.operation.inbound_nodes) if node is self)

    def mask_of_output(self, place: int) -> Any:
        """Return the mask of an output as part of the graph, from the layer's `compute_mask`, or None."""
        if not getattr(self.operation, "supports_masking", False) or not self.args:
            return None
        previous = self.kwargs.get("mask")
        if previous is None:
            previous = nested.map_structure(lambda leaf: getattr(leaf, "_keras_mask", None), self.args[0])
        made = tree.flatten(self.operation.compute_mask(self.args[0], previous))  # type: ignore[attr-defined]
        return made[place] if place < len(made) else None


class Operation(Configurable):
    """Something that can be called on arrays, or on symbolic tensors to become part of a graph.

    A subclass writes `call` with `polykeras.ops`, and also `compute_output_spec` if `call` cannot run on shapes alone.

    Args:
        name: the name; if it is None, a unique name is made from the name of the class.

    Raises:
        ValueError: `name` is not a string, or contains a `/`.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(f"`name` must be a string without `/`; received {name!r}.")
        self.name: str = name or unique_name(to_snake_case(type(self).__name__))
        self.inbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs for arrays; for symbolic tensors, record a call and return its symbolic outputs.

        Args:
            *args: positional arguments of `call`.
            **kwargs: keyword arguments of `call`.
        """
        if any(isinstance(x, KerasTensor) for x in nested.flatten((args, kwargs))):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs for arrays. Subclasses must implement it."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `call`.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic outputs for symbolic inputs, without recording a call.

        Args:
            *args: symbolic tensors, in the structure in which `call` takes arrays.
            **kwargs: further arguments of `call`.
        """
        return infer_outputs(self.call, args, kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Record a call on symbolic tensors as part of the graph, and return its symbolic outputs.

        Args:
            *args: symbolic tensors, in the structure in which `call` takes arrays.
            **kwargs: further arguments of `call`.
        """
        return self.record(args, kwargs, self.compute_output_spec(*args, **kwargs))

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> Any:
        """Add a node to the graph, and return its outputs.

        Args:
            args: the positional arguments of the call.
            kwargs: the keyword arguments of the call.
            outputs: the outputs, a tree of symbolic tensors.
        """
        return Node(self, args, kwargs, outputs).outputs

    def implied_tensors(self, node: Node) -> list[KerasTensor]:
        """Return the additional tensors that a call of this operation takes in Keras: masks.

        The graph does not pass them here, but they affect the order of layers.
        """
        return []

    @property
    def _inbound_nodes(self) -> list[Node]:
        """Keras's name of `inbound_nodes`, which tools use to walk a graph."""
        return self.inbound_nodes

    def _first_node(self, what: str) -> Node:
        if not self.inbound_nodes and (make := _makers[self]() if self in _makers else None):
            make()
        if not self.inbound_nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no `{what}`: it was not called on a symbolic tensor yet."
            )
        return self.inbound_nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic input(s) of the first call."""
        tensors = self._first_node("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first call."""
        return self._first_node("output").outputs


OPERATIONS: Registry[Any] = Registry("operation", "polykeras.graph")


def find_op(op: str) -> Callable[..., Any]:
    """Return the op of the given name: `"relu"`, or `"image.resize"` for an op of `ops.image`.

    Raises:
        ValueError: there is no op of this name.
    """
    function: Any = None
    if isinstance(op, str):
        namespace, _, name = op.rpartition(".")
        if namespace in ("", "image"):
            function = getattr(getattr(ops, namespace) if namespace else ops, name, None)
    # Otherwise a config could name any object in that module.
    if not callable(function) or not str(getattr(function, "__module__", "")).startswith("polykeras.ops"):
        raise ValueError(f"There is no op {op!r} in polykeras.ops.")
    return function


@OPERATIONS.register()
class OpOperation(Operation):
    """A call of an op of `polykeras.ops` on symbolic tensors.

    Args:
        op: the name of the op.
        name: the name of this operation.

    Raises:
        ValueError: there is no op of this name.
    """

    def __init__(self, op: str, name: str | None = None) -> None:
        function = find_op(op)
        super().__init__(name or unique_name(op.rpartition(".")[2]))
        self.op = op
        self._function: Any = function

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Run the op."""
        return self._function(*args, **kwargs)


class FunctionOperation(Operation):
    """A call of a function that is not an op, such as a result of `remat` or `vectorize`, on symbolic tensors.

    Args:
        function: the function; files cannot contain it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(unique_name(to_snake_case(getattr(function, "__name__", "function").strip("<>"))))
        self.function = function

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)


@record_op.supply
def _record_op(op: str | Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Record a call of an op or a function in the graph, and return its symbolic results."""
    return (OpOperation(op) if isinstance(op, str) else FunctionOperation(op))(*args, **kwargs)
