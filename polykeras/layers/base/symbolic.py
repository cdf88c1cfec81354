"""A layer's outputs for symbolic tensors, from the shapes its class states or from running `call` on shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from polykeras.backend import registry
from polykeras.backend.symbolic import cannot_run_on_shapes
from polykeras.common import nested
from polykeras.graph import KerasTensor, Node, infer_outputs
from polykeras.layers.base.building import with_shapes
from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.calling import call_outermost
from polykeras.layers.base.shapes import map_shapes


class SymbolicMixin:
    """Shape inference for a layer, and the masks of its calls in a graph."""

    built: bool
    compute_dtype: Any
    call: Callable[..., Any]
    _build: Callable[..., None]
    _forget_losses: Callable[[], None]
    _has_own_build: Callable[[], bool]
    _held_layers: Callable[[], list[Any]]
    _title: Callable[[], str]

    # Whether a call takes its arguments in any dtype without casting them, as models do.
    _takes_arguments_as_passed: ClassVar[bool] = False

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shape of the outputs for the given input shape(s), by running `call` on shapes alone.

        Args:
            *args: a shape for each argument of `call`.
            **kwargs: shapes by name, such as `query_shape` for `query`; `input_shape` always means the first argument.
        """

        def as_tensor(shape: Any) -> Any:
            return KerasTensor(shape, self.compute_dtype)

        spec = call_spec(type(self).call)

        def argument(name: str) -> str:
            name = name.removesuffix("_shape")
            return spec.first if name == "input" and name not in spec.names and spec.first else name

        args = tuple(map_shapes(as_tensor, arg) for arg in args)
        kwargs = {argument(name): map_shapes(as_tensor, shape) for name, shape in kwargs.items()}
        # A class that overrides this method may call it: do not ask `compute_output_spec`, which asks the override
        # again.
        ours = type(self).compute_output_spec is SymbolicMixin.compute_output_spec
        outputs = self._inferred_outputs(args, kwargs) if ours else self.compute_output_spec(*args, **kwargs)
        return nested.map_structure(lambda x: x.shape, outputs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic outputs for symbolic inputs, without recording a call.

        If the class overrides `compute_output_shape`, its answer is used; otherwise `call` runs on shapes alone.

        Args:
            *args: symbolic tensors or arrays, in the structure in which `call` takes arrays.
            **kwargs: further arguments of `call`.
        """
        written = type(self).compute_output_shape is not SymbolicMixin.compute_output_shape
        if written and self._can_build_alone():
            self._build_on_shapes(args, kwargs)
            return self._written_outputs(args, kwargs)
        try:
            return self._inferred_outputs(args, kwargs)
        except Exception as error:
            # A framework's native code cannot take symbolic arrays. The class may state its output shapes instead.
            if not cannot_run_on_shapes(error):
                raise
            if not written:
                error.add_note(
                    f"{self._title()} calls native code of a framework (backend {registry.backend()!r}), which failed "
                    "on arrays without values. polykeras runs `call` on them to find the shapes of the outputs. If the "
                    "code works on data, write the method `compute_output_shape(input_shape)`, use `polykeras.ops` "
                    "instead, or leave out `Input`: the first data then builds the model."
                )
                raise
        return self._written_outputs(args, kwargs)

    def _inferred_outputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return symbolic tensors with the shapes that `call` returns on shapes alone."""
        outputs = infer_outputs(partial(call_outermost, self), args, kwargs)  # type: ignore[arg-type]  # it is a layer
        self._forget_losses()  # they have no values
        return outputs

    def _written_outputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return symbolic tensors with the shapes that `compute_output_shape` returns."""
        given = dict(zip(call_spec(type(self).call).names, args, strict=False)) | kwargs
        shapes = {
            name: nested.map_structure(lambda x: tuple(x.shape), value)
            for name, value in given.items()
            if value is not None and all(hasattr(leaf, "shape") for leaf in nested.flatten(value))
        }
        found = with_shapes(self.compute_output_shape, shapes)
        return map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), found)

    def _can_build_alone(self) -> bool:
        """Return whether the layer is built, or can be built without running `call`."""
        return self.built or self._has_own_build() or all(layer.built for layer in self._held_layers())

    def _build_on_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build for symbolic arguments without running `call`."""
        if self.built or not self._can_build_alone():
            return

        def build(*args: Any, **kwargs: Any) -> tuple[()]:
            spec = call_spec(type(self).call)
            if not self.built:  # it runs again if it reads an unknown size, and must not make weights anew
                self._build(registry.current(), spec, spec.take_first(args, kwargs), kwargs)
            return ()

        infer_outputs(build, args, kwargs)

    def implied_tensors(self, node: Node) -> list[KerasTensor]:
        """Return the masks that Keras would pass in a call of the graph.

        Keras passes them if `call` takes a mask, and if the only argument is used as it was passed: it has the layer's
        compute dtype, or the layer is a model.
        """
        x = node.args[0] if node.args else None
        as_passed = not node.kwargs and isinstance(x, KerasTensor) and x.dtype == self.compute_dtype
        if not as_passed and not self._takes_arguments_as_passed:
            return []
        found = nested.flatten(self._implied_mask(node.args, node.kwargs))
        return [mask for mask in found if isinstance(mask, KerasTensor)]

    def _implied_mask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the masks of the only argument of a call, in its structure."""
        if len(args) != 1 or not call_spec(type(self).call).has_mask or kwargs.get("mask") is not None:
            return None
        try:
            return nested.map_structure(lambda leaf: getattr(leaf, "_keras_mask", None), args[0])
        except Exception as error:
            if not cannot_run_on_shapes(error):
                raise
            return None  # a user's `compute_mask` has native code, which Keras could not run either
