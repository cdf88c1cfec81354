"""Convert a file of a model or of weights to another format, chosen by the suffixes.

  whole models   .keras, .h5 and .hdf5 (Keras 2), a folder (a name without a suffix)
  weights        .weights.h5, .npz, .safetensors, .weights.json (a list of several files)
  architecture   .json, as `model.to_json()` gives it

A model can be converted to any of these, weights only to other weights. To combine weights with a
model, name it with --model. No framework is needed, and an existing file is replaced only with
--force.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.cli.errors import CommandError, one_line
from polykeras.cli.models import MODEL, add_loading_options, load_experiment
from polykeras.cli.texts import print_json, size
from polykeras.models import Model
from polykeras.saving import SavedFileError, load_weights, save_model, save_weights
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.base import Writer
from polykeras.saving.files.formats import open_arrays, write_arrays
from polykeras.saving.model_files import SUFFIXES as MODELS
from polykeras.saving.weights import SUFFIXES as WEIGHTS

_LOST = {
    ("model", "weights"): "layers, what it was compiled with",
    ("model", "architecture"): "weights, what it was compiled with",
    ("weights", "architecture"): "weights",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("input", metavar="IN", help=f"{MODEL}; or a file of weights")
    parser.add_argument("output", metavar="OUT", help="the file to write; its suffix says the format")
    parser.add_argument("--model", metavar="MODEL", help="the model to which the weights in IN belong: as IN")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--max-shard-size", type=float, metavar="GB", help="for .weights.json: the most that goes into one file"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_loading_options(parser)


def run(options: argparse.Namespace) -> int:
    """Convert as the options say, and return the exit status."""
    target = kind_of(options.output)
    if os.path.exists(options.output) and not options.force:
        raise CommandError(f"{options.output!r} exists. Choose another name, or pass --force to replace it.")
    if options.max_shard_size is not None and not options.output.endswith(".weights.json"):
        raise CommandError(f"--max-shard-size is for a list of files, OUT.weights.json; received {options.output!r}.")
    from_script = options.input.rpartition(":")[0].endswith(".py")
    source = "weights" if options.model else "model" if from_script else kind_of(options.input)
    if not from_script and not os.path.exists(options.input):
        raise CommandError(f"There is no file {options.input!r}.")
    if source == "weights" and not options.model:
        if target != "weights":
            raise CommandError(
                f"{options.input!r} holds only weights, which do not say what model they belong to. Name it: "
                f"polykeras convert {options.input} {options.output} --model MODEL."
            )
        count = _copy_weights(options)
    else:
        count = _write_model(_model(options), target, options)
    _report(source, target, count, options)
    return 0


def kind_of(path: str) -> str:
    """Return what a file of this name contains: `"model"`, `"weights"` or `"architecture"`.

    Args:
        path: the name; the file need not exist.

    Raises:
        CommandError: if no format has this suffix.
    """
    if path.endswith(WEIGHTS):
        return "weights"
    if path.endswith(MODELS) or not Path(path).suffix or Path(path).is_dir():
        return "model"
    if path.endswith(".json"):
        return "architecture"
    raise CommandError(
        f"Expected a name that ends in one of {', '.join((*MODELS, *WEIGHTS, '.json'))}, or in no suffix (a folder); "
        f"received {path!r}."
    )


def _model(options: argparse.Namespace) -> Model:
    """Return the model to write: the one in the input, or another one with the input's weights."""
    if not options.model:
        try:
            return load_experiment(options.input, options).model
        except SavedFileError as error:
            if not options.input.endswith((".h5", ".hdf5")):
                raise
            raise CommandError(f"{one_line(error)} If it holds only weights, name their model: --model.") from error
    model = load_experiment(options.model, options).model
    if not model.built:
        raise CommandError(f"The model of {options.model!r} is not built, so weights cannot be loaded into it.")
    load_weights(model, options.input)
    return model


def _write_model(model: Model, target: str, options: argparse.Namespace) -> int:
    """Write a model, and return the number of its arrays of weights."""
    if target == "weights":
        save_weights(model, options.output, options.force, options.max_shard_size)
    elif target == "architecture":
        with atomic_write(options.output, options.force) as part:
            part.write_text(model.to_json(indent=2), encoding="utf-8")
    else:
        save_model(model, options.output, options.force, zipped=None if options.output.endswith(MODELS) else False)
    return 0 if target == "architecture" else len(model.weights)


def _copy_weights(options: argparse.Namespace) -> int:
    """Write the arrays of a file of weights to another file, and return their number."""
    with open_arrays(options.input) as file:
        groups = file.names()

        def save(writer: Writer) -> None:
            for group in groups:
                arrays = {name: np.asarray(array) for name, array in file.group(group).items()}
                writer.write(group, arrays, {})

        write_arrays(save, options.output, options.force, options.max_shard_size)
        return sum(len(file.group(group)) for group in groups)


def _report(source: str, target: str, count: int, options: argparse.Namespace) -> None:
    taken = _taken(Path(options.output))
    lost = _LOST.get((source, target), "")
    new = source == "architecture" and target != source
    made_up = "weights: they are new random numbers" if new else ""
    if options.json:
        report: dict[str, Any] = {"input": options.input, "output": options.output, "kind": target, "arrays": count}
        print_json(report | {"bytes": taken, "left_out": lost, "made_up": made_up})
        return
    arrays = f", {count} arrays" if count else ""
    print(f"{options.input} ({source}) -> {options.output} ({target}{arrays}, {size(taken)})")
    for title, text in (("left out", lost), ("made up", made_up)):
        if text:
            print(f"{title}: {text}")


def _taken(path: Path) -> int:
    """Return the size in bytes of a file, of the files in a folder, or of those that a list names."""
    inside: Callable[[str], Any] = path.rglob if path.is_dir() else path.parent.glob
    if path.name.endswith(".weights.json"):
        shards = f"{path.name.removesuffix('.weights.json')}_*.weights.h5"
        return path.stat().st_size + sum(file.stat().st_size for file in inside(shards))
    return sum(file.stat().st_size for file in inside("*" if path.is_dir() else path.name) if file.is_file())
