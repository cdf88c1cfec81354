"""Building a layer: once the shapes of its inputs are known, when it is called or a saved model is loaded."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.graph import KerasTensor
from polykeras.graph.inference import known_shape, outside_inference
from polykeras.layers.base.call_arguments import CallSpec, call_spec
from polykeras.layers.base.context import within
from polykeras.layers.base.input_spec import assert_input_compatibility
from polykeras.layers.base.shapes import map_shapes
from polykeras.variables import Variable, outside_scopes


def _has_shapes(backend: Backend, value: Any) -> bool:
    """Return whether these are arrays of the backend, or a framework's of another kind, such as sparse ones."""
    leaves = nested.flatten(value)
    return all(backend.is_tensor(x) or (hasattr(x, "shape") and hasattr(x, "dtype")) for x in leaves)


def _shape_of(backend: Backend, x: Any) -> tuple[int | None, ...]:
    return known_shape(backend, x) if backend.is_tensor(x) else tuple(x.shape)


class BuildMixin:
    """What happens around a layer's `build`."""

    name: str
    built: bool
    _building: bool = False
    build: Callable[..., None]
    call: Callable[..., Any]
    compute_output_spec: Callable[..., Any]
    set_weights: Callable[[Sequence[Any]], None]
    _path: Callable[[], list[str]]
    _title: Callable[[], str]
    _flatten_layers: Callable[..., Any]
    _own_weights: list[Variable]
    _initial_weights: Sequence[Any] | None
    _build_shapes: dict[str, Any] | None
    _built_path: str | None = None

    @property
    def path(self) -> str | None:
        """The names of the layers around it and its own, as they were when it was built; None before."""
        return self._built_path

    def _build(self, backend: Backend, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build with the shapes of the arguments of a call."""
        if args:  # before a layer within this one is built, whose message would be of another shape
            assert_input_compatibility(self, args[0], backend)
        given = dict(zip(spec.names, args, strict=False)) | kwargs
        shapes = {
            name: nested.map_structure(lambda x: _shape_of(backend, x), value)
            for name, value in given.items()
            if not name.endswith("mask") and value is not None and _has_shapes(backend, value)
        }
        if not shapes and self._has_own_build():
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) cannot be built: its call received no array. Received "
                f"{', '.join(f'{name}={value!r}' for name, value in given.items()) or 'nothing'}."
            )
        self._build_shapes = shapes or None
        weights = list(self._own_weights)
        try:
            if shapes:
                self._build_weights(shapes)
        except Exception:
            self._own_weights = weights  # the next attempt makes them anew
            raise
        self._after_build()

    def _build_weights(self, shapes: dict[str, Any]) -> None:
        """Call `build` with the shapes that it takes, of those of all arguments of a call."""
        with_shapes(self.build, shapes)

    def _after_build(self) -> None:
        self.built = True
        self._built_path = "/".join(self._path())
        if self._initial_weights is not None:
            with outside_inference(), outside_scopes():  # in which calls on shapes assign nothing for good
                self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _has_own_build(self) -> bool:
        """Return whether the class says how its weights are made."""
        return hasattr(type(self).build, "__wrapped__")

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` gave, where they are all that it takes.

        A layer in a model is built by the model's calls in any case.
        """
        if not config or self.built:
            return
        spec = call_spec(type(self).call)
        if "call_shapes" in config:
            shapes = dict(config["call_shapes"])
        elif "shapes_dict" in config:
            shapes = {name.removesuffix("_shape"): shape for name, shape in config["shapes_dict"].items()}
        else:
            shapes = {spec.first or "inputs": config["input_shape"]}
        # JSON has made lists of tuples, and layers look whether they are given one shape or a list of them.
        shapes = {name: map_shapes(tuple, shape) for name, shape in shapes.items()}
        if self._has_own_build():
            self._build_shapes = shapes
            self._build_weights(shapes)
            self._after_build()
        elif spec.required <= shapes.keys():
            self._build_by_call(**{name: map_shapes(KerasTensor, s) for name, s in shapes.items()})

    def _build_by_call(self, *args: Any, **kwargs: Any) -> None:
        """Build what the layer consists of by running `call` on shapes. Where that fails, the first data builds it."""
        try:
            self.compute_output_spec(*args, **kwargs)
        except Exception as error:
            if all(layer.built for layer in self._flatten_layers(include_self=False)):
                return
            shapes = ", ".join(str(leaf.shape) for leaf in nested.flatten((args, kwargs)))
            warnings.warn(
                f"{self._title()} has layers that are not built: its `call`, which would build them, fails on inputs "
                f"of the shapes {shapes} ({type(error).__name__}: {error}). The first call on data builds them. Pass "
                "the shapes that `call` takes, or write a method `build` that builds all layers.",
                stacklevel=2,
            )

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes with which the layer was built, or None."""
        shapes = self._build_shapes
        if shapes is None:
            return None
        taken = _shape_parameters(type(self).build)
        if taken:
            return {"shapes_dict": {f"{name}_shape": s for name, s in shapes.items() if f"{name}_shape" in taken}}
        if len(shapes) == 1 or self._has_own_build():  # which takes the first input's
            return {"input_shape": next(iter(shapes.values()))}
        return {"call_shapes": shapes}  # which Keras passes over: it would call a `build` that takes one shape with all


def with_shapes(method: Callable[..., Any], shapes: dict[str, Any]) -> Any:
    """Call a layer's `build` or `compute_output_shape` with the shapes that it takes.

    Args:
        method: takes one shape, or several that are called after the arguments, as `query_shape`, or none.
        shapes: of the arguments of a call, by their names.
    """
    names = _shape_parameters(getattr(method, "__func__", method))
    if names is None:
        return method(next(iter(shapes.values())))
    named = {f"{name}_shape": shape for name, shape in shapes.items()}
    return method(**{name: named[name] for name in names if name in named})


@cache
def _shape_parameters(build: Callable[..., None]) -> tuple[str, ...] | None:
    """Return the names of the shapes that a `build` takes, or None where it takes the first, whatever its name."""
    _, *parameters = inspect.signature(build).parameters.values()
    names = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    several = len(names) > 1 and all(name.endswith("_shape") for name in names)
    return names if several or not parameters else None


def completed(build: Callable[..., None]) -> Callable[..., None]:
    """Return a `build` after which the layer counts as built, whoever calls it."""

    @wraps(build)
    def wrapper(self: BuildMixin, *args: Any, **kwargs: Any) -> None:
        outer = self._building
        self._building = True
        try:
            with within(self.name), outside_inference():  # arrays that it makes are to have values
                build(self, *args, **kwargs)
        finally:
            self._building = outer
        if type(self).build is wrapper:  # not one that a subclass's `build` calls
            if self._build_shapes is None:
                _, *given = inspect.signature(build).bind(self, *args, **kwargs).arguments.items()
                self._build_shapes = {name.removesuffix("_shape"): shape for name, shape in given} or None
            self._after_build()

    return wrapper
