"""What a layer around a SavedModel needs of TensorFlow: the functions in it, on the values that a scope has.

A graph of a SavedModel knows its variables by their handles, which it captured. On other values, as in a step that is
compiled or differentiated, it gets handles of variables that are made for this call, from which gradients go on to the
values.
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
    """Functions of a SavedModel.

    Args:
        folder: that of the SavedModel.
        endpoints: the names of the functions: attributes of what was saved, or signatures.

    Attributes:
        saved: what was saved, as TensorFlow restores it.
        functions: by name.
        variables: those that the functions use, each once; the trainable ones first.

    Raises:
        ValueError: if there is no such function.
    """

    def __init__(self, folder: str, endpoints: Sequence[str]) -> None:
        self.saved = tf.saved_model.load(folder)
        self.functions = {name: self._function(name, folder) for name in endpoints}
        self.variables = _variables_of(self.functions.values())
        # As graphs captured them. A variable that a layer holds gives other ones in eager code of a scope.
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
        """Return what a function gives where the variables have other values, which gradients reach.

        Args:
            name: that of the function.
            args: of the call, with tensors of the current graph, or eager ones.
            kwargs: likewise.
            values: one for each of `variables`.

        Returns:
            The outputs, and the new values of variables that the function assigns to, by their places.

        Raises:
            RuntimeError: if this TensorFlow cannot call a graph on other variables.
        """
        if call_on_captures is None:
            raise RuntimeError(
                f"This TensorFlow, {tf.__version__}, lacks what a graph of a SavedModel needs to run on other values "
                "of its variables, so that it cannot take part in compiled or differentiated code. Call the layer "
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
        """Return results with their shapes, which graphs with loops and branches do not tell: one run on zeros does."""
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
    """Return the handle of a new variable with a value, such that tapes take what is read by it for the value."""
    handle = raw.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=anonymous_name())
    raw.AssignVariableOp(resource=handle, value=value)
    return assigned_to(value, handle)


def _read(handle: Array, dtype: tf.DType) -> Array:
    return raw.ReadVariableOp(resource=handle, dtype=dtype)
