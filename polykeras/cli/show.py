"""Show a model: its layers and its sizes by dtype; with --plot a picture, with --program what one of its steps runs.

For a file of weights alone (.weights.h5, .npz, .safetensors, .weights.json), the arrays are listed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from polykeras import dtypes
from polykeras.cli.data import first_rows, prepared_experiment
from polykeras.cli.errors import CommandError
from polykeras.cli.models import add_model_arguments, load_experiment
from polykeras.cli.texts import print_json, size, table
from polykeras.models import Model
from polykeras.saving.files.formats import open_arrays
from polykeras.saving.weights import SUFFIXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--plot", metavar="FILE", help="draw the model to this file: .png, .svg or .pdf")
    parser.add_argument(
        "--program",
        metavar="STEP",
        choices=("train", "test", "predict"),
        help="print only the program of this step (train, test or predict) on the default backend",
    )
    parser.set_defaults(batch_size=32, samples=32, length=16, seed=0)  # for the data
    parser.add_argument("--expand", action="store_true", help="also show the layers of nested models")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Show what the options ask for, and return the exit status."""
    if options.model.endswith(SUFFIXES):
        for name, what in (("plot", "picture"), ("program", "program")):
            if getattr(options, name):
                raise CommandError(f"{options.model!r} holds only weights, which have no {what}. Leave out --{name}.")
        _show_weights(options)
    elif options.program:
        _show_program(options)
    else:
        _show_model(options)
    return 0


def _show_weights(options: argparse.Namespace) -> None:
    with open_arrays(options.model) as file:
        arrays = {f"{group}/{name}": array for group in file.names() for name, array in file.group(group).items()}
    sizes = sizes_of(("arrays", array) for array in arrays.values())
    if options.json:
        listed = {name: {"dtype": array.dtype, "shape": list(array.shape)} for name, array in arrays.items()}
        print_json({"file": options.model, "arrays": listed, "sizes": sizes})
        return
    rows = [(name, array.dtype, str(array.shape)) for name, array in arrays.items()]
    print(table(("array", "dtype", "shape"), rows), _size_table(sizes), sep="\n\n")


def _show_program(options: argparse.Namespace) -> None:
    from polykeras.debug import program

    experiment, _ = prepared_experiment(options)
    batch = [first_rows(data, options.batch_size) for data in (experiment.x, experiment.y)]
    text = program(experiment.model, options.program, *batch)
    if options.json:
        print_json({"model": experiment.model.name, "step": options.program, "program": text})
    else:
        print(text)


def _show_model(options: argparse.Namespace) -> None:
    model = load_experiment(options.model, options).model
    sizes = sizes_of(_arrays_of(model))
    on_disk = Path(options.model).stat().st_size if Path(options.model).is_file() else None
    if options.plot:
        from polykeras.utils import plot_model

        plot_model(model, options.plot, show_shapes=True, show_layer_names=True, expand_nested=options.expand)
    if options.json:
        print_json(
            {"model": model.name, "class": type(model).__name__, "file_bytes": on_disk}
            | {"layers": list(map(_layer, model.layers)), "sizes": sizes, "picture": options.plot}
        )
        return
    model.summary(expand_nested=options.expand)
    print(f"\n{_size_table(sizes)}")
    if on_disk is not None:
        print(f"\nThe file {options.model} has {size(on_disk)}.")
    if options.plot:
        print(f"The picture is in {options.plot}.")


def _layer(layer: Any) -> dict[str, Any]:
    return {
        "name": layer.name,
        "class": type(layer).__name__,
        "parameters": layer.count_params() if layer.built else None,
        "trainable": layer.trainable,
    }


def _arrays_of(model: Model) -> Iterable[tuple[str, Any]]:
    optimizer = model.optimizer if model.compiled else None
    yield from (("trainable", variable) for variable in model.trainable_weights)
    yield from (("not trainable", variable) for variable in model.non_trainable_weights)
    yield from (("optimizer", variable) for variable in (optimizer.variables if optimizer and optimizer.built else ()))


def sizes_of(arrays: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the number and size of arrays of each kind and dtype.

    Args:
        arrays: pairs of a kind and an object with a `shape` and a `dtype`.

    Returns:
        A dict for each kind and dtype: `kind`, `dtype`, `arrays`, `parameters` (elements) and `bytes`.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, array in arrays:
        dtype, shape = str(array.dtype), tuple(array.shape)
        row = found.setdefault((kind, dtype), {"arrays": 0, "parameters": 0, "bytes": 0})
        row["arrays"] += 1
        row["parameters"] += math.prod(shape)
        row["bytes"] += dtypes.nbytes(shape, dtype)
    return [{"kind": kind, "dtype": dtype, **row} for (kind, dtype), row in found.items()]


def _size_table(sizes: list[dict[str, Any]]) -> str:
    rows = [
        (row["kind"], row["dtype"], f"{row['arrays']:,}", f"{row['parameters']:,}", size(row["bytes"])) for row in sizes
    ]
    sums = (sum(row[key] for row in sizes) for key in ("arrays", "parameters", "bytes"))
    arrays, parameters, total = sums
    rows.append(("all", "", f"{arrays:,}", f"{parameters:,}", size(total)))
    return table(("kind", "dtype", "arrays", "elements", "memory"), rows, right=(2, 3, 4))
