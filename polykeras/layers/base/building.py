"""Building a layer, when the shapes of its inputs are known: at its first call, or when a model is loaded."""

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
    """Return whether these are arrays of the backend or of a framework, such as sparse ones."""
    leaves = nested.flatten(value)
    return all(backend.is_tensor(x) or (hasattr(x, "shape") and hasattr(x, "dtype")) for x in leaves)


def _shape_of(backend: Backend, x: Any) -> tuple[int | None, ...]:
    return known_shape(backend, x) if backend.is_tensor(x) else tuple(x.shape)


class BuildMixin:
    """Builds layers: finds the shapes for `build`, and keeps them for the config."""

    name: str
    built: bool
    trainable: bool
    _building: bool = False
    build: Callable[..., None]
    call: Callable[..., Any]
    compute_output_spec: Callable[..., Any]
    set_weights: Callable[[Sequence[Any]], None]
    _path: Callable[[], list[str]]
    _title: Callable[[], str]
    _flatten_layers: Callable[..., Any]
    _freeze_parts: Callable[[], None]
    _own_weights: list[Variable]
    _initial_weights: Sequence[Any] | None
    _build_shapes: dict[str, Any] | None
    _built_path: str | None = None

    @property
    def path(self) -> str | None:
        """The names of the enclosing layers and its own, joined by `/`, from when it was built; None before that."""
        return self._built_path

    def _build(self, backend: Backend, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build with the shapes of a call's arguments."""
        if args:  # check this before a sublayer is built and complains of another shape
            assert_input_compatibility(self, args[0], backend)
        given = dict(zip(spec.names, args, strict=False)) | kwargs
        shapes = {
            name: nested.map_structure(lambda x: _shape_of(backend, x), value)
            for name, value in given.items()
            if not name.endswith("mask") and value is not None and _has_shapes(backend, value)
        }
        self._build_shapes = shapes or None
        weights = list(self._own_weights)
        try:
            if shapes or self._has_own_build():  # layers of text, for instance, are built without a shape
                self._build_weights(shapes)
        except Exception as error:
            self._own_weights = weights  # the next attempt makes them again
            if shapes:
                raise
            raise ValueError(
                f"{self._title()} cannot be built, because its call received no array. Received "
                f"{', '.join(f'{name}={value!r}' for name, value in given.items()) or 'nothing'}. Call it on an array."
            ) from error
        self._after_build()

    def _build_weights(self, shapes: dict[str, Any]) -> None:
        """Call `build` with those shapes of a call's arguments that it takes."""
        with_shapes(self.build, shapes)

    def _after_build(self) -> None:
        self.built = True
        if not self.trainable:
            self._freeze_parts()
        self._built_path = "/".join(self._path())
        if self._initial_weights is not None:
            with outside_inference(), outside_scopes():  # inside inference or a scope, assignments would not last
                self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _has_own_build(self) -> bool:
        """Return whether the class defines a `build` method."""
        return hasattr(type(self).build, "__wrapped__")

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes from `get_build_config`, if they are all that the layer needs.

        The layers of a model are also built by the model's calls.
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
        # JSON turned tuples into lists, and layers distinguish one shape (a tuple) from a list of shapes.
        shapes = {name: map_shapes(tuple, shape) for name, shape in shapes.items()}
        if self._has_own_build():
            self._build_shapes = shapes
            self._build_weights(shapes)
            self._after_build()
        elif spec.required <= shapes.keys():
            self._build_by_call(**{name: map_shapes(KerasTensor, s) for name, s in shapes.items()})

    def _build_by_call(self, *args: Any, **kwargs: Any) -> None:
        """Build the sublayers by running `call` on shapes. If this fails, the first call on data builds them."""
        try:
            self.compute_output_spec(*args, **kwargs)
        except Exception as error:
            if all(layer.built for layer in self._flatten_layers(include_self=False)):
                return
            shapes = ", ".join(str(leaf.shape) for leaf in nested.flatten((args, kwargs)))
            warnings.warn(
                f"{self._title()} has layers that are not built: its `call`, which would build them, failed for inputs "
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
        if len(shapes) == 1 or self._has_own_build():  # `build` takes the first input's shape
            return {"input_shape": next(iter(shapes.values()))}
        return {"call_shapes": shapes}  # Keras ignores this key; with a shapes dict it would pass all shapes to `build`


def with_shapes(method: Callable[..., Any], shapes: dict[str, Any]) -> Any:
    """Call a layer's `build` or `compute_output_shape` with the shapes that it takes.

    Args:
        method: a method that takes one shape, several named after the arguments (such as `query_shape`), or none.
        shapes: the shapes of a call's arguments, by name.
    """
    names = _shape_parameters(getattr(method, "__func__", method))
    if names is None:
        return method(next(iter(shapes.values()), None))
    named = {f"{name}_shape": shape for name, shape in shapes.items()}
    return method(**{name: named[name] for name in names if name in named})


@cache
def _shape_parameters(build: Callable[..., None]) -> tuple[str, ...] | None:
    """Return the names of the shapes that `build` takes, or None if it takes one shape under any name."""
    _, *parameters = inspect.signature(build).parameters.values()
    names = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    several = len(names) > 1 and all(name.endswith("_shape") for name in names)
    return names if several or not parameters else None


def completed(build: Callable[..., None]) -> Callable[..., None]:
    """Wrap a `build` method so that the layer counts as built afterwards, even if a user calls it."""

    @wraps(build)
    def wrapper(self: BuildMixin, *args: Any, **kwargs: Any) -> None:
        outer = self._building
        self._building = True
        try:
            with within(self.name), outside_inference():  # so that arrays made in `build` have values
                build(self, *args, **kwargs)
        finally:
            self._building = outer
        if type(self).build is wrapper:  # skipped if a subclass's `build` called this one
            if self._build_shapes is None:
                _, *given = inspect.signature(build).bind(self, *args, **kwargs).arguments.items()
                self._build_shapes = {name.removesuffix("_shape"): shape for name, shape in given} or None
            self._after_build()

    return wrapper
