"""A function made from the part of a graph between inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import tree
from polykeras.common import budget, nested
from polykeras.graph.operation import Operation
from polykeras.graph.order import by_depth, walk
from polykeras.graph.tensor import KerasTensor


class GraphFunction:
    """The nodes between symbolic inputs and outputs, in the order in which they run, which is Keras's.

    Args:
        inputs: a tree of symbolic tensors.
        outputs: a tree of symbolic tensors.

    Attributes:
        nodes: the calls that run, in order.
        calls: these calls and those of input layers, in the order in which a walk from the outputs meets them.

    Raises:
        ValueError: an output depends on an input that is not in `inputs` (the graph is disconnected).
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.input_definition = nested.flatten_with_def(inputs)
        self.outputs, self.output_definition = nested.flatten_with_def(outputs)
        for what, tensors in (("input", self.inputs), ("output", self.outputs)):
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"The {what}s of a functional model must be symbolic tensors, such as the results of "
                        f"Input() and of calls of layers on them; received {tensor!r} ({type(tensor).__name__})."
                    )
        if not self.outputs:
            raise ValueError("A functional model needs at least one output; received none.")
        self.calls, reached = walk(self.inputs, self.outputs, self._disconnected)
        self.nodes, self._operations = by_depth(self.inputs, self.outputs, self.calls, reached)
        self._plan = self._make_plan()

    def _disconnected(self, tensor: KerasTensor) -> ValueError:
        return ValueError(
            f"The graph is disconnected: {self._describe(tensor)} is needed to compute the outputs, but is not among "
            f"the inputs {[t.name for t in self.inputs]}. Add it to `inputs`."
        )

    @staticmethod
    def _describe(tensor: KerasTensor) -> str:
        maker = f" of layer {tensor.history[0].operation.name!r}" if tensor.history else ""
        return f"the tensor {tensor.name!r}{maker} (shape {tensor.shape})"

    def _make_plan(self) -> list[tuple[Operation, Any, list[Any], list[int | None], list[int], int | None]]:
        """Return a row for each node: the operation, the slots that fill its arguments, and those of its outputs."""
        slots: dict[int, int] = {}
        for tensor in self.inputs:
            slots.setdefault(id(tensor), len(slots))
        plan = []
        for node in self.nodes:
            leaves, definition = nested.flatten_with_def((node.args, node.kwargs))
            sources = [slots[id(leaf)] if isinstance(leaf, KerasTensor) else None for leaf in leaves]
            targets = []
            for tensor in node.output_tensors:
                slots.setdefault(id(tensor), len(slots))
                targets.append(slots[id(tensor)])
            simple = not node.kwargs and len(node.args) == 1 and isinstance(node.args[0], KerasTensor)
            only = sources[0] if simple else None
            plan.append((node.operation, definition, leaves, sources, targets, only))
        self._slot_count = len(slots)
        self._output_slots = [slots[id(tensor)] for tensor in self.outputs]
        return plan

    def __call__(self, inputs: list[Any], call: Callable[..., Any] | None = None) -> Any:
        """Compute the outputs.

        Args:
            inputs: a flat list of the values of `self.inputs`.
            call: a function `call(operation, *args, **kwargs)`; by default the operation itself is called.

        Returns:
            The outputs, in their tree.

        Raises:
            ValueError: if an operation returns fewer outputs than it stated.
        """
        budget.spend(8 * (1 + len(self._plan)))  # the costs of nested models multiply
        values: list[Any] = [None] * self._slot_count
        values[: len(inputs)] = inputs
        for operation, definition, leaves, sources, targets, only in self._plan:
            if only is not None:
                args, kwargs = (values[only],), {}
            else:
                filled = [leaf if s is None else values[s] for leaf, s in zip(leaves, sources, strict=True)]
                args, kwargs = nested.unflatten(definition, filled)
            result = operation(*args, **kwargs) if call is None else call(operation, *args, **kwargs)
            if len(targets) == 1 and not isinstance(result, (list, tuple, dict)):
                values[targets[0]] = result
                continue
            parts = nested.flatten(result)
            if len(parts) != len(targets):  # `compute_output_shape` stated more or fewer; then None counts, as in Keras
                parts = tree.flatten(result)
            if len(parts) < len(targets):
                raise ValueError(
                    f"{operation.name!r} ({type(operation).__name__}) returned {len(parts)} outputs; expected "
                    f"{len(targets)}, as stated by `compute_output_shape` when the graph was made."
                )
            for slot, value in zip(targets, parts, strict=False):
                values[slot] = value
        return nested.unflatten(self.output_definition, [values[slot] for slot in self._output_slots])

    @property
    def operations(self) -> list[Operation]:
        """The operations in Keras's order, without repetitions, including the layers of the inputs."""
        return list(self._operations)
