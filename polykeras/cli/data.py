"""Random data for models that come without data, drawn to fit their inputs and losses."""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

from polykeras import dtypes, losses
from polykeras.cli.errors import CommandError
from polykeras.cli.models import Experiment, load_experiment
from polykeras.common import nested
from polykeras.graph import KerasTensor
from polykeras.losses import Loss
from polykeras.models import Model

OPTIMIZER, LOSS = "sgd", "mean_squared_error"
"""The training settings of a model that was not compiled."""
_FEW = 2  # the number of values of integer inputs without further information
_NEEDED = "Give a function in a script that returns (model, x, y)."


def add_data_arguments(parser: argparse.ArgumentParser, samples: int | None) -> None:
    """Add the options that say which data are drawn, and how they are split into batches.

    Args:
        parser: the parser of the command.
        samples: the default number of samples; None if the command chooses it by their size.
    """
    many = "%(default)s" if samples else "50 batches, or what fits into 64 MB"
    parser.add_argument("--batch-size", type=positive, default=32, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--samples",
        type=positive,
        default=samples,
        metavar="N",
        help=f"how many to draw if no data are given; default: {many}",
    )
    parser.add_argument(
        "--length",
        type=positive,
        default=16,
        metavar="N",
        help="the value of sizes that the model leaves open; default: 16",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the seed of weights, data and training; default: 0"
    )


def positive(text: str) -> int:
    """Return an argument that must be an int, 1 or greater.

    Raises:
        ArgumentTypeError: if it is not such an int.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected an int, 1 or greater; received {text!r}")
    return int(text)


def prepared_experiment(options: argparse.Namespace) -> tuple[Experiment, list[str]]:
    """Return a model that can be trained, with its data.

    Args:
        options: the options of `add_model_arguments` and `add_data_arguments`.

    Returns:
        The experiment, complete, and notes on what was added to it.

    Raises:
        CommandError: if the model's data cannot be drawn.
    """
    experiment = load_experiment(options.model, options)
    model, notes = experiment.model, []
    rng = np.random.default_rng(options.seed)
    if experiment.x is None:
        experiment.x, rows = _inputs(model, options, rng)
        notes.append(f"x was drawn: {rows} samples (seed {options.seed})")
    experiment.x = _host_arrays(experiment.x, "x")
    if not model.compiled:
        model.compile(OPTIMIZER, LOSS)
        notes.append(f"the model was not compiled: it is trained with {OPTIMIZER} and {LOSS}")
    if experiment.y is None:
        experiment.y = _labels(model, experiment.x, rng)
        notes.append("y was drawn for the model's loss")
    experiment.y = _host_arrays(experiment.y, "y")
    return experiment, notes


def row_count(x: Any) -> int:
    """Return the number of samples in an array or a tree of arrays."""
    return len(nested.flatten(x)[0])


def first_rows(x: Any, count: int) -> Any:
    """Return the first samples of an array or a tree of arrays."""
    return nested.map_structure(lambda array: array[:count], x)


def _host_arrays(data: Any, name: str) -> Any:
    arrays = nested.map_structure(np.asarray, data)
    for array in nested.flatten(arrays):
        if array.dtype == object or array.ndim == 0:
            raise CommandError(f"{name} must be an array, or a tree of arrays; received {type(data).__name__}.")
    return arrays


# ---- inputs ----------------------------------------------------------------------------------------------------------


def _inputs(model: Model, options: argparse.Namespace, rng: np.random.Generator) -> tuple[Any, int]:
    """Return inputs with the shapes and dtypes of a model's graph, and the number of samples."""
    graph = model._graph_model()
    if graph is None:
        raise CommandError(f"Model {model.name!r} ({type(model).__name__}) does not say what its inputs are. {_NEEDED}")
    shapes = [tuple(options.length if n is None else n for n in tensor.shape[1:]) for tensor in graph.inputs]
    fixed = next((tensor.shape[0] for tensor in graph.inputs if tensor.shape[0] is not None), None)
    if fixed:
        options.batch_size = fixed  # no other size fits
    rows = options.samples or _rows(shapes, options.batch_size)
    if fixed:
        rows = max(1, rows // fixed) * fixed
    drawn = {
        id(tensor): _draw(tensor, (rows, *shape), _values(graph, tensor), rng)
        for tensor, shape in zip(graph.inputs, shapes, strict=True)
    }
    return nested.map_structure(lambda tensor: drawn[id(tensor)], graph.input), rows


def _rows(shapes: list[tuple[int, ...]], batch: int) -> int:
    """Return the number of samples in 50 batches, or in 64 MB if that is less; at least two."""
    each = 4 * sum(math.prod(shape) for shape in shapes)
    return batch * max(2, min(50, 2**26 // max(1, each * batch)))


def _values(graph: Any, tensor: KerasTensor) -> int | None:
    """Return how many values an input that is looked up in a table may have; None for other inputs."""
    readers = [node.operation for node in graph._graph.nodes if any(read is tensor for read in node.input_tensors)]
    everywhere = [] if tensor.dtype.startswith("float") else list(graph._flatten_layers())
    for layers in (readers, everywhere):
        tables = [layer.input_dim for layer in layers if hasattr(layer, "input_dim") and hasattr(layer, "output_dim")]
        if tables:
            return min(tables)
    return None


def _draw(tensor: KerasTensor, shape: tuple[int, ...], values: int | None, rng: np.random.Generator) -> np.ndarray:
    dtype = tensor.dtype
    if dtype == dtypes.STRING:
        raise CommandError(f"The input {tensor.name!r} takes texts, which cannot be drawn. {_NEEDED}")
    if values is not None or not dtypes.is_float(dtype):
        return rng.integers(0, values or _FEW, shape).astype(dtypes.numpy_dtype(dtype))
    return rng.standard_normal(shape).astype(dtypes.numpy_dtype(dtype))


# ---- labels ----------------------------------------------------------------------------------------------------------


def _labels(model: Model, x: Any, rng: np.random.Generator) -> Any:
    """Return labels that fit the model's outputs and loss. The model runs only on shapes."""
    symbols = nested.map_structure(lambda array: KerasTensor(array.shape, dtype=array.dtype.name), x)
    outputs, definition = nested.flatten_with_def(model(symbols))
    labels = [
        _labels_of(tuple(output.shape), loss, rng)
        for output, loss in zip(outputs, _losses(model, len(outputs)), strict=True)
    ]
    return nested.unflatten(definition, labels)


def _losses(model: Model, count: int) -> list[Any]:
    """Return the loss of each output."""
    told = model.loss
    if isinstance(told, dict):
        names = getattr(model, "output_names", None) or sorted(told)
        return [told.get(name) for name in names]
    return list(nested.flatten(told)) if isinstance(told, list | tuple) else [told] * count


def _labels_of(shape: tuple[int, ...], loss: Any, rng: np.random.Generator) -> np.ndarray:
    kind = _kind(loss)
    if "ctc" in kind:
        raise CommandError(f"Labels for {kind!r} cannot be drawn. {_NEEDED}")
    if "sparse" in kind:
        return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if "categorical" in kind or "kl" in kind:
        return np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
    if any(word in kind for word in ("binary", "hinge", "dice", "tversky")):
        return rng.integers(0, 2, shape).astype("float32")
    if "poisson" in kind or "logarithmic" in kind:
        return rng.uniform(0.1, 2.0, shape).astype("float32")
    return rng.standard_normal(shape).astype("float32")


def _kind(loss: Any) -> str:
    """Return the name of a loss: that of its function or its class."""
    found = losses.get(loss) if isinstance(loss, str) else loss
    found = getattr(found, "fn", found)
    name = type(found).__name__ if isinstance(found, Loss) else getattr(found, "__name__", "")
    return name.lower()
