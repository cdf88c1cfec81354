"""Quantizing the layers of a model's blocks by data that goes through them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import Layer
from polykeras.quantizers.calibrated import CalibratedConfig


def structure_of(model: Any, config: CalibratedConfig) -> Mapping[str, Sequence[Any]]:
    """Return the layers before the blocks, and the blocks, as the description or the model names them.

    Args:
        model: the model.
        config: the description.

    Raises:
        ValueError: neither names blocks.
    """
    structure = config.quantization_layer_structure or model.get_quantization_layer_structure(config.mode)
    if not structure or not structure.get("sequential_blocks"):
        raise ValueError(
            f"quantize({config.mode!r}): expected the blocks of the model, {{'pre_block_layers': [...], "
            f"'sequential_blocks': [...]}}; received {structure!r}. Pass it as `quantization_layer_structure` of the "
            "config, or return it from the model's `get_quantization_layer_structure`."
        )
    return structure


def windows(config: CalibratedConfig) -> np.ndarray:
    """Return windows of the calibration tokens at regular distances, `(num_samples, sequence_length)` of int32.

    Few tokens are repeated. The first window begins at a place that is drawn from a fixed seed; Keras 3.16 draws the
    same.

    Args:
        config: the description.

    Raises:
        TypeError: the data set is no iterable of texts or arrays, or texts have no tokenizer.
        ValueError: there is no data.
    """
    data, length = config.dataset, config.sequence_length
    if data is None or isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"{type(config).__name__}: expected a `dataset` of texts or of arrays of tokens; received {data!r}."
        )
    pieces = list(data)
    if any(isinstance(piece, str) for piece in pieces):
        if not hasattr(config.tokenizer, "tokenize"):
            raise TypeError(
                f"{type(config).__name__}: texts need a `tokenizer` with a method `tokenize`; received "
                f"{config.tokenizer!r}."
            )
        pieces = [config.tokenizer.tokenize(piece) for piece in pieces]
    arrays = [np.ravel(ops.convert_to_numpy(piece)).astype("int32") for piece in pieces]
    tokens = np.concatenate(arrays) if arrays else np.zeros(0, "int32")
    if not tokens.size:
        raise ValueError(f"{type(config).__name__}: the `dataset` has no tokens.")
    tokens = np.tile(tokens, math.ceil(max(1, config.num_samples * length / tokens.size)))
    starts = tokens.size - length + 1
    first = np.random.default_rng(42).integers(0, starts)
    begins = (first + np.arange(config.num_samples) * max(1, starts // config.num_samples)) % starts
    return np.lib.stride_tricks.sliding_window_view(tokens, length)[begins]


def calibrate(
    structure: Mapping[str, Sequence[Any]],
    config: CalibratedConfig,
    layers: Sequence[Layer],
    report: Callable[..., None],
) -> None:
    """Quantize layers of blocks, one block after the other, so that each sees what the quantized ones before it give.

    Args:
        structure: the layers before the blocks, and the blocks.
        config: the description.
        layers: those to quantize.
        report: called with each layer that is quantized.
    """
    tokens, size = windows(config), config.calibration_batch_size
    batches: list[Any] = [ops.convert_to_tensor(tokens[at : at + size]) for at in range(0, len(tokens), size)]
    for layer in structure.get("pre_block_layers") or ():
        batches = _outputs(layer, batches)
    chosen, few = {id(layer) for layer in layers}, list[str]()
    for block in structure["sequential_blocks"]:
        for stage in _stages(block, [part for part in block._flatten_layers() if id(part) in chosen], batches[0]):
            few += _quantize_stage(block, stage, batches, config)
            for layer in stage:
                report(layer)
        batches = _outputs(block, batches)
    if few:
        more = ", ..." if len(few) > 3 else ""
        warnings.warn(
            f"quantize({config.mode!r}): {len(few)} layers saw few tokens for their width, so that they may suit the "
            f"calibration data alone: {', '.join(few[:3])}{more}. Use more `num_samples`, or a larger "
            "`sequence_length`.",
            stacklevel=5,
        )


def _quantize_stage(block: Any, stage: list[Any], batches: list[Any], config: Any) -> list[str]:
    """Quantize layers of a block that do not depend on each other; return what saw too few tokens."""
    found = {id(layer): config.statistics(layer._layouts()[0].matrix[0]) for layer in stage}

    def observe(layer: Any, inputs: Array) -> None:
        rows = layer._layouts()[0].rows_of(ops.cast(ops.stop_gradient(inputs), "float32"))
        found[id(layer)].observe(rows)

    with _watched(stage, observe):
        _outputs(block, batches)
    few = []
    for layer in stage:
        statistics, (layout,) = found.pop(id(layer)), layer._layouts()
        kernel = layout.as_matrix(vars(layer)[layout.name].numpy()).astype("float64")
        if statistics.count < statistics.wanted * len(kernel):
            few.append(f"{layer.path or layer.name} ({statistics.count} for a width of {len(kernel)})")
        layer._become(config, statistics.solve(kernel.T, config, layer.variable_dtype))
    return few


def _stages(block: Any, layers: list[Any], batch: Any) -> list[list[Any]]:
    """Return the layers in the order of their calls. Neighbours with the same inputs are in one stage.

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
    never = [layer for layer in layers if id(layer) not in seen]
    return [*stages, never] if never else stages


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
