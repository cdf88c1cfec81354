"""Quantizing the layers of a model's blocks by data that goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.quantizable import Quantizable
from polykeras.models.calibration_data import windows
from polykeras.quantizers.calibrated import CalibratedConfig, Structure

PARTS = ("pre_block_layers", "sequential_blocks")


def structure_of(model: Any, config: CalibratedConfig) -> Structure:
    """Return the layers before the blocks, and the blocks, as the description or the model names them.

    Args:
        model: the model.
        config: the description.

    Raises:
        TypeError: a block is not a layer.
        ValueError: neither names blocks, or a block is not of this model.
    """
    structure = config.quantization_layer_structure or model.get_quantization_layer_structure(config.mode)
    if not _well_formed(structure):
        raise ValueError(
            f"quantize({config.mode!r}): expected the blocks of the model, {{'pre_block_layers': [...], "
            f"'sequential_blocks': [...]}}; received {structure!r}. Pass it as `quantization_layer_structure` of the "
            "config, or return it from the model's `get_quantization_layer_structure`."
        )
    own = set(map(id, model._flatten_layers()))
    for block in structure["sequential_blocks"]:
        if not isinstance(block, Layer):
            raise TypeError(
                f"quantize({config.mode!r}): expected layers as 'sequential_blocks'; received {block!r}. Make a model "
                "of several layers that form a block."
            )
        if own.isdisjoint(map(id, block._flatten_layers())):
            raise ValueError(
                f"quantize({config.mode!r}): expected blocks of the model {model.name!r}; received {block._title()}, "
                "which shares no layer with it. Pass the model's own layers, such as `model.layers[2]`."
            )
    return structure


def _well_formed(structure: Any) -> bool:
    """Whether it is a dict of lists, with blocks and no other words."""
    return (
        isinstance(structure, Mapping)
        and all(word in PARTS for word in structure)
        and all(isinstance(part or (), Sequence) for part in structure.values())
        and bool(structure.get("sequential_blocks"))
    )


def layers_of(structure: Structure) -> list[Layer]:
    """Return the layers of all blocks."""
    return [part for block in structure["sequential_blocks"] for part in block._flatten_layers()]


def calibrate(structure: Structure, config: CalibratedConfig, layers: Sequence[Quantizable]) -> list[str]:
    """Quantize layers of blocks, one block after the other, so that each sees what the quantized ones before it give.

    A layer in several blocks is fitted to the first that calls it.

    Args:
        structure: the layers before the blocks, and the blocks.
        config: the description.
        layers: those to quantize.

    Returns:
        What the user should be warned of.
    """
    tokens, size = windows(config), config.calibration_batch_size
    batches: list[Any] = [ops.convert_to_tensor(tokens[at : at + size]) for at in range(0, len(tokens), size)]
    for layer in structure.get("pre_block_layers") or ():
        batches = _outputs(layer, batches)
    left, few = {id(layer): layer for layer in layers}, list[str]()
    for block in structure["sequential_blocks"]:
        for stage in _stages(block, [part for part in block._flatten_layers() if id(part) in left], batches[0]):
            few += _quantize_stage(block, stage, batches, config)
            for layer in stage:
                del left[id(layer)]
        batches = _outputs(block, batches)
    for layer in left.values():
        _round(layer, config.statistics(_width(layer)), config)
    return [*_warning_of_few(few, config), *_warning_of_unseen(list(left.values()), config)]


def _warning_of_few(few: list[str], config: CalibratedConfig) -> list[str]:
    if not few:
        return []
    more = ", ..." if len(few) > 3 else ""
    return [
        f"quantize({config.mode!r}): {len(few)} layers saw few tokens for their width, so that they may suit the "
        f"calibration data alone: {', '.join(few[:3])}{more}. Use more `num_samples`, or a larger `sequence_length`."
    ]


def _warning_of_unseen(layers: list[Quantizable], config: CalibratedConfig) -> list[str]:
    if not layers:
        return []
    names = ", ".join(layer.path or layer.name for layer in layers)
    return [
        f"quantize({config.mode!r}): {len(layers)} layers were not called with the calibration data, and are rounded "
        f"without: {names}. Leave them out by `filters`, or quantize them in another mode first."
    ]


def _width(layer: Quantizable) -> int:
    """Return the number of inputs that the layer's product sums over."""
    return layer._layouts()[0].matrix[0]


def _quantize_stage(block: Any, stage: list[Any], batches: list[Any], config: CalibratedConfig) -> list[str]:
    """Quantize layers of a block that do not depend on each other; return what saw too few tokens."""
    found = {id(layer): config.statistics(_width(layer)) for layer in stage}

    def observe(layer: Any, inputs: Array) -> None:
        rows = layer._layouts()[0].rows_of(ops.cast(ops.stop_gradient(inputs), "float32"))
        found[id(layer)].observe(rows)

    with _watched(stage, observe):
        _outputs(block, batches)
    few = []
    for layer in stage:
        statistics, width = found.pop(id(layer)), _width(layer)
        if statistics.count < statistics.wanted * width:
            few.append(f"{layer.path or layer.name} ({statistics.count} for a width of {width})")
        _round(layer, statistics, config)
    return few


def _round(layer: Quantizable, statistics: Any, config: CalibratedConfig) -> None:
    """Quantize a layer by the statistics of its inputs."""
    (layout,) = layer._layouts()
    kernel = layout.as_matrix(vars(layer)[layout.name].numpy()).astype("float64")
    layer._become(config, statistics.solve(kernel.T, config, layer.variable_dtype))


def _stages(block: Any, layers: list[Any], batch: Any) -> list[list[Any]]:
    """Return the layers that are called, in the order of their calls. Neighbours with the same inputs are in one stage.

    A layer of a later stage has inputs that quantizing an earlier one changes.
    """
    calls: list[tuple[Any, Any]] = []
    with _watched(layers, lambda layer, inputs: calls.append((layer, inputs))):
        _outputs(block, [batch])
    stages: list[list[Any]] = []
    before: Any = None
    seen: set[int] = set()
    for layer, inputs in calls:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if stages and inputs is before:
            stages[-1].append(layer)
        else:
            stages.append([layer])
        before = inputs
    return stages


@contextmanager
def _watched(layers: list[Any], watcher: Callable[[Any, Array], None]) -> Iterator[None]:
    """Within this context, call `watcher` with a layer and the inputs of its product."""
    for layer in layers:
        vars(layer)["_watcher"] = watcher
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("_watcher", None)


def _outputs(layer: Any, batches: list[Any]) -> list[Any]:
    """Return the first output for each batch, without gradients."""
    found = []
    for batch in batches:
        # Not as a model, whose repeated calls are compiled: then no layer would be called.
        output = Layer.__call__(layer, batch) if isinstance(layer, Layer) else layer(batch)
        found.append(ops.stop_gradient(output[0] if isinstance(output, (list, tuple)) else output))
    return found
