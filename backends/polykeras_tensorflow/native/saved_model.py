"""Functions of a SavedModel, for the layer around one, with the values of variables in the current scope.

A graph of a SavedModel refers to its variables by captured handles. To run it on other values, as in a compiled or
differentiated step, it gets handles of temporary variables, and gradients flow through these to the values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras_tensorflow.graphs import Flattened, spec_of, trace
from polykeras_tensorflow.private import anonymous_name, assigned_to, call_on_captures, read_only_captures

raw = tf.raw_ops


class SavedModel:
    """The functions of a SavedModel.

    Args:
        folder: the folder of the SavedModel.
        endpoints: the names of the functions: attributes of the saved object, or signatures.

    Attributes:
        saved: the saved object, as TensorFlow restores it.
        functions: the functions by name.
        variables: the variables that the functions use, each once, the trainable ones first.

    Raises:
        ValueError: if there is no such function.
    """

    def __init__(self, folder: str, endpoints: Sequence[str]) -> None:
        self.saved = tf.saved_model.load(folder)
        self.functions = {name: self._function(name, folder) for name in endpoints}
        self.variables = _variables_of(self.functions.values())
        # The handles that graphs captured. In a scope, eager code may get other handles from a layer's variable.
        self._handles = [variable.handle for variable in self.variables]

    def _function(self, name: str, folder: str) -> Callable[..., Any]:
        signatures = getattr(self.saved, "signatures", {})
        function = getattr(self.saved, name, signatures.get(name))
        if not callable(function):
            functions = [key for key, part in vars(self.saved).items() if hasattr(part, "concrete_functions")]
            raise ValueError(
                f"The SavedModel {folder!r} has no function {name!r}. Its functions are {sorted(functions)}, its "
                f"signatures {sorted(signatures)}. Name one of them as `call_endpoint` or `call_training_endpoint`."
            )
        return function

    def call_on_values(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], values: Sequence[Array]
    ) -> tuple[Any, dict[int, Array]]:
        """Call a function with other values of the variables, through which gradients flow.

        Args:
            name: the name of the function.
            args: the positional arguments, with eager tensors or tensors of the current graph.
            kwargs: the keyword arguments, likewise.
            values: one for each of `variables`.

        Returns:
            The outputs, and the new values of variables that the function assigns to, by their index.

        Raises:
            RuntimeError: if this TensorFlow cannot call a graph on other variables.
        """
        if call_on_captures is None:
            raise RuntimeError(
                f"This TensorFlow, {tf.__version__}, lacks a function that runs a graph of a SavedModel on other "
                "values of its variables, so the layer cannot take part in compiled or differentiated code. Call it "
                "outside of these, or use a version that polykeras is tested with."
            )
        given = Flattened(args, kwargs)
        arrays = given.arrays
        with tf.init_scope():
            graph = trace(given.flat(self.functions[name]), [spec_of(x) for x in arrays])
        results, changed = self._call(graph, arrays, values)
        if not all(_is_static(x) for x in results) and all(_is_static(x) for x in arrays):
            results = self._with_shapes(results, graph, arrays)
        return given.result(results), changed

    def _call(self, graph: Any, arrays: list[Array], values: Sequence[Array]) -> tuple[list[Array], dict[int, Array]]:
        assert call_on_captures is not None
        known = {id(handle): place for place, handle in enumerate(self._handles)}
        only_read = read_only_captures(graph)
        captured, written = list(graph.captured_inputs), {}
        for i, handle in enumerate(captured):
            place = known.get(id(handle))
            if place is not None:
                captured[i] = _handle_of(values[place])
                if len(arrays) + i not in only_read:
                    written[place] = captured[i]
        results = call_on_captures(graph, arrays, captured)
        return results, {place: _read(handle, self.variables[place].dtype) for place, handle in written.items()}

    def _with_shapes(self, results: list[Array], graph: Any, arrays: list[Array]) -> list[Array]:
        """Return results with their shapes. Graphs with loops and branches lack them; one run on zeros has them."""
        with tf.init_scope():
            zeros = [tf.zeros(x.shape, x.dtype) for x in arrays]
            values = [_read(handle, v.dtype) for handle, v in zip(self._handles, self.variables, strict=True)]
            found, _ = self._call(graph, zeros, values)
        return [tf.ensure_shape(x, like.shape) for x, like in zip(results, found, strict=True)]


def _is_static(x: Array) -> bool:
    return x.shape.is_fully_defined()


def _variables_of(functions: Any) -> list[tf.Variable]:
    found: dict[int, tf.Variable] = {}
    for function in functions:
        for graph in getattr(function, "concrete_functions", [function]):
            found |= {id(variable): variable for variable in graph.graph.variables}
    return sorted(found.values(), key=lambda variable: not variable.trainable)


def _handle_of(value: Array) -> Array:
    """Return the handle of a new variable with a value. Tapes treat what is read through it as the value."""
    handle = raw.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=anonymous_name())
    raw.AssignVariableOp(resource=handle, value=value)
    return assigned_to(value, handle)


def _read(handle: Array, dtype: tf.DType) -> Array:
    return raw.ReadVariableOp(resource=handle, dtype=dtype)
