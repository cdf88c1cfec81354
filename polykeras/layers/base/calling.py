"""Calling a layer: prepare the arguments, build the layer, compute the outputs, and set their masks."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

from polykeras import dtypes, tree
from polykeras.backend import Backend, registry
from polykeras.backend.scopes import autocast_scope, current_autocast
from polykeras.collectives import needs_whole_batch
from polykeras.common import masks, nested
from polykeras.distribution.placing import distribute_output
from polykeras.distribution.strategies import distribution
from polykeras.graph import KerasTensor
from polykeras.graph.inference import known_shape
from polykeras.layers.base.call_arguments import call_spec, prepare_arguments
from polykeras.layers.base.context import CallContext
from polykeras.layers.base.input_spec import assert_input_compatibility
from polykeras.layers.base.samples_axis import check_call

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


def begins_symbolic(args: tuple[Any, ...]) -> bool:
    """Return whether the first argument is symbolic, because code within a call (a `build`, say) makes a graph."""
    first = args[0] if args else None
    while isinstance(first, (list, tuple, dict)) and first:
        first = next(iter(first.values() if isinstance(first, dict) else first))
    return isinstance(first, KerasTensor)


def call_outermost(layer: Layer, *args: Any, **kwargs: Any) -> Any:
    """Call a layer outside of any other layer's call; its arguments and result are those of the layer."""
    layer._forget_losses()
    with CallContext((args, kwargs)) as context:
        outputs = call_within(layer, context, args, kwargs)
    if context.lossy:
        layer._lossy[get_ident()] = context.lossy
    if context.masks:
        for leaf in nested.flatten(outputs):
            if id(leaf) in context.masks:
                masks.keep(leaf, context.masks[id(leaf)][1])
    return outputs


def call_within(layer: Layer, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer inside an active call: its own outermost call, or that of a layer that contains it.

    Args:
        layer: the layer.
        context: the context of the outermost call.
        args: the positional arguments of this call.
        kwargs: the keyword arguments of this call.

    Returns:
        The outputs.
    """
    backend = registry.current()
    spec = call_spec(type(layer).call)
    args = spec.take_first(args, kwargs)
    if layer._convert_input_args:
        to = layer.compute_dtype if layer.autocast and layer._casts_inputs else None
        args, kwargs = prepare_arguments(backend, context, to, args, kwargs)
    outer_training, outer_mode = context.training, context.mode
    if layer._mode is not None:
        context.mode = layer._mode
    args = spec.fill_training(context, args, kwargs)
    if context.masks or (spec.has_mask and args and type(args[0]) in (list, tuple)):  # `mask` is a list too
        spec.fill_masks(context, args, kwargs)
    depth = len(context.path)
    if not (layer._building and context.path[-1:] == [layer.name]):  # its `build` calls it
        context.path.append(layer.name)
    try:
        if not (layer.built or layer._building):
            layer._build(backend, spec, args, kwargs)
        if layer.input_spec is not None and args:
            assert_input_compatibility(layer, args[0], backend)
        outer_dtype = current_autocast.get()
        dtype = _dtype_of_weights(layer, outer_dtype)
        if dtype == outer_dtype:
            outputs = layer.call(*args, **kwargs)
        else:
            with autocast_scope(dtype):
                outputs = layer.call(*args, **kwargs)
        if distribution() is not None:
            check_call(layer, args)
            outputs = distribute_output(outputs, "/".join(context.path))
    except Exception as error:
        place = f" of {'/'.join(context.path)}" if len(context.path) > 1 else ""
        _note(error, f"While calling {layer._title()}{place} with", backend, (args, kwargs))
        raise
    finally:
        del context.path[depth:]
        context.training, context.mode = outer_training, outer_mode
    if layer.activity_regularizer is not None:
        if getattr(layer.activity_regularizer, "mixes_samples", False):
            needs_whole_batch(f"The activity_regularizer of {layer._title()}")
        for output in nested.flatten(outputs):
            layer.add_loss(layer.activity_regularizer(output) / backend.shape(output)[0])
    mask = kwargs.get("mask")
    if isinstance(mask, (list, tuple)) and all(part is None for part in mask):
        mask = None
    if context.masks or layer._makes_masks or mask is not None:
        _set_masks(layer, context, args, mask, outputs)
    return outputs


def _dtype_of_weights(layer: Layer, outer: str | None) -> str | None:
    """Return the dtype in which a call reads weights, None for their own; `outer` is that of the call around it."""
    dtype = layer.compute_dtype
    if outer is None:
        return None if dtype == layer.variable_dtype else dtype
    return dtype if layer.autocast and dtypes.is_float(dtype) else None


def _set_masks(layer: Layer, context: CallContext, args: tuple[Any, ...], given: Any, outputs: Any) -> None:
    """Set the masks of a call's outputs, which the layer computes from the masks of its inputs or from `given`."""
    leaves = nested.flatten(outputs)
    # Keep masks that `call` itself has set on outputs.
    if not layer.supports_masking or not args or all(context.mask_of(leaf) is not None for leaf in leaves):
        return
    previous = nested.map_structure(context.mask_of, args[0]) if given is None else given
    made = layer.compute_mask(args[0], previous)
    if made is None:
        return
    for leaf, mask in zip(leaves, tree.flatten(made), strict=False):
        if context.mask_of(leaf) is None:
            context.set_mask(leaf, mask)


def _note(error: Exception, what: str, backend: Backend, arguments: Any) -> None:
    """Add a note to an error that says where it arose; only the innermost layer adds one."""
    if not any(note.startswith("While calling") for note in getattr(error, "__notes__", ())):
        arrays = [leaf for leaf in nested.flatten(arguments) if backend.is_tensor(leaf)]
        shown = [f"{backend.dtype(x)} {known_shape(backend, x)}" for x in arrays]
        error.add_note(f"{what} {', '.join(shown) or 'no arrays'}.")
