"""Arguments of a layer's call: conversion to arrays, `training`, and masks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.backend.handles import Handle
from polykeras.common import nested
from polykeras.layers.base.context import CallContext

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


class CallSpec:
    """The signature of a class's `call`, inspected once for each class."""

    __slots__ = (
        *("_places", "first", "has_mask", "has_training", "mask_arguments", "names", "required", "training_default"),
    )

    def __init__(self, call: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(call).parameters.values())
        if parameters and parameters[0].kind in (inspect.Parameter.POSITIONAL_ONLY, _POSITIONAL):
            del parameters[0]  # `self`, under any name
        self.names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        self.required = {p.name for p in parameters if p.default is p.empty and p.kind in (_POSITIONAL, p.KEYWORD_ONLY)}
        self._places = {p.name: i for i, p in enumerate(parameters) if p.kind is _POSITIONAL}
        self.first = next((p.name for p in parameters[:1] if p.kind is _POSITIONAL), None)
        by_name = {p.name: p for p in parameters}
        self.has_training = "training" in by_name
        default = by_name["training"].default if self.has_training else None
        self.training_default = None if default is inspect.Parameter.empty else default
        self.has_mask = "mask" in by_name
        self.mask_arguments = [n for n in self.names if n.endswith("_mask") and n[: -len("_mask")] in self.names]

    def take_first(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the positional arguments; if the first one was passed by name, move it out of `kwargs`."""
        return args if args or self.first not in kwargs else (kwargs.pop(self.first),)

    def _is_positional(self, name: str, args: tuple[Any, ...]) -> bool:
        return name in self._places and self._places[name] < len(args)

    def fill_training(self, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the positional arguments with `training` filled in, and set it for the layers within.

        Args:
            context: the context of the call.
            args: the positional arguments.
            kwargs: the keyword arguments; `training` is added here if `call` takes it and `args` do not contain it.
        """
        if not self.has_training and "training" not in kwargs:
            return args
        place = self._places["training"] if self._is_positional("training", args) else None
        explicit = kwargs.get("training") if place is None else args[place]
        if explicit is not None:
            context.training = explicit
        elif context.training is None and context.mode is None and self.training_default is not None:
            context.training = self.training_default
        training = context.mode if context.training is None else context.training
        if place is not None:
            return (*args[:place], training, *args[place + 1 :])
        if self.has_training:
            kwargs["training"] = training
        else:
            kwargs.pop("training", None)
        return args

    def fill_masks(self, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Add the masks of the arguments to `kwargs`, if `call` takes masks."""
        if self.has_mask and kwargs.get("mask") is None and args and not self._is_positional("mask", args):
            found = nested.map_structure(context.mask_of, args[0])
            if any(mask is not None for mask in nested.flatten(found)) or nested.is_nested(args[0]):
                kwargs["mask"] = found
        for name in self.mask_arguments:
            source = name[: -len("_mask")]
            place = self.names.index(source)
            value = args[place] if place < len(args) else kwargs.get(source)
            if kwargs.get(name) is None and not self._is_positional(name, args) and value is not None:
                mask = context.mask_of(value)
                if mask is not None:
                    kwargs[name] = mask


@cache
def call_spec(call: Callable[..., Any]) -> CallSpec:
    """Return the signature of a `call` method."""
    return CallSpec(call)


def prepare_arguments(
    backend: Backend, context: CallContext, cast_to: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convert the variables, NumPy arrays and lists of numbers in a call's arguments to arrays of the backend.

    Args:
        backend: the current backend.
        context: the context of the call.
        cast_to: the dtype to cast float arrays to, or None to keep theirs.
        args: the positional arguments.
        kwargs: the keyword arguments.
    """

    if len(args) == 1 and not kwargs and backend.is_tensor(args[0]):  # the usual call
        return (_cast(args[0], backend, context, cast_to),), kwargs

    def prepare(leaf: Any) -> Any:
        if isinstance(leaf, Handle):
            leaf = leaf.value
        elif not backend.is_tensor(leaf):
            if not hasattr(leaf, "__array__") or dtypes.is_text(leaf):
                return leaf
            leaf = backend.asarray(leaf)
        return _cast(leaf, backend, context, cast_to)

    args = nested.map_structure(prepare, tuple(_lists_to_arrays(backend, arg) for arg in args))
    return args, {name: nested.map_structure(prepare, value) for name, value in kwargs.items()}


def _cast(array: Any, backend: Backend, context: CallContext, cast_to: str | None) -> Any:
    """Return a float array in the layer's compute dtype, with its mask; leave other arrays as they are."""
    if cast_to is None:
        return array
    dtype = backend.dtype(array)
    if dtype == cast_to or not dtypes.is_float(dtype):
        return array
    return context.passes_mask(array, backend.cast(array, cast_to))


def _lists_to_arrays(backend: Backend, arg: Any) -> Any:
    """Convert a nested list of numbers to an array; keep lists of arrays."""
    if (
        isinstance(arg, (list, tuple))
        and arg
        and all(isinstance(leaf, (bool, int, float)) for leaf in nested.flatten(arg))
    ):
        return backend.asarray(arg)
    return arg
