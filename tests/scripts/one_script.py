"""Runs one published script as it stands, over fakes: `python one_script.py SCRIPT REPORT`; run.py calls it.

`import keras` means polykeras, or Keras with SCRIPT_KERAS=1. What would come from the web comes from fakes.py, training is cut short, and a loss that
is no finite number is an error. REPORT is a JSON file: how often was trained, the error, if there was one, and of each series
of losses (losses.py) how many there were, and the means of the first and of the last quarter.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
import runpy
import sys
import traceback
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import fakes
import fixed
import losses
import numpy as np
from losses import EnoughTrained

KERAS = "SCRIPT_KERAS" in os.environ  # whether `import keras` means Keras itself
COMPARED = "SCRIPT_COMPARED" in os.environ  # whether nothing is left to chance, and numbers are noted
STEPS = int(os.environ.get("SCRIPT_STEPS", "2"))  # of an epoch
NATIVE = "SCRIPT_STEPS" in os.environ  # whether losses are to fall, and loops of the script's own are noted and cut
EPOCHS = int(os.environ.get("SCRIPT_EPOCHS", "1"))  # of a call of fit
PREDICTED = 500  # rows that are predicted, and repeated for the rest
TRAININGS = 25  # calls of fit, or of train_on_batch: a script that trains for ever has shown by then what it does
trainings = 0
within = False  # one of the methods that are cut, as others that it calls are its own matter


def cut_training() -> None:
    """Make `fit`, `evaluate`, `predict` and `train_on_batch` of all models short, and their losses finite or an error."""
    from keras import Model

    cuts = {"fit": cut_fit, "evaluate": cut_evaluate, "predict": cut_predict, "train_on_batch": cut_batch}
    for name, cut in (cuts | ({"test_on_batch": tested} if COMPARED else {})).items():
        setattr(Model, name, functools.partialmethod(outermost, cut, getattr(Model, name)))


def outermost(model: Any, cut: Any, true: Any, *args: Any, **options: Any) -> Any:
    """Call a method in its cut form where the script calls it, and note its result, or as it is."""
    global within
    if within:
        return true(model, *args, **options)
    within = True
    try:
        if COMPARED and cut in (cut_fit, cut_batch):
            fixed.place(model, args[0] if args else options.get("x"))
        result = cut(model, true, *args, **options)
    finally:
        within = False
    if COMPARED:
        what = true.__name__
        fixed.note_prediction(what, result) if cut is cut_predict else fixed.note(
            what, getattr(result, "history", result)
        )
    return result


def tested(model: Any, test_on_batch: Any, *args: Any, **options: Any) -> Any:
    """Evaluate one batch."""
    return test_on_batch(model, *args, **options)


def cut_fit(
    model: Any,
    fit: Any,
    x: Any = None,
    y: Any = None,
    batch_size: Any = None,
    epochs: int = 1,
    *args: Any,
    **options: Any,
) -> Any:
    """Train for a few steps."""
    count_training()
    if COMPARED:
        options["shuffle"] = False
    options["epochs"] = min(epochs, options.get("initial_epoch", 0) + EPOCHS)
    if is_arrays(x):
        options["batch_size"] = batch_size
        rows = STEPS * (batch_size or 32)
        if options.get("validation_split"):
            rows = int(rows / (1 - options["validation_split"])) + 1
        x, y = first_rows(x, rows), first_rows(y, rows)
        if options.get("steps_per_epoch"):
            options["steps_per_epoch"] = min(options["steps_per_epoch"], STEPS)
        if options.get("sample_weight") is not None:
            options["sample_weight"] = first_rows(options["sample_weight"], rows)
    else:
        options["steps_per_epoch"] = min(options.get("steps_per_epoch") or STEPS, STEPS)
    validation = options.get("validation_data")
    if isinstance(validation, tuple | list):
        options["validation_data"] = tuple(first_rows(part, STEPS * (batch_size or 32)) for part in validation)
    elif validation is not None:
        options["validation_steps"] = min(options.get("validation_steps") or STEPS, STEPS)
    history = fit(model, x, y, *args, **options)
    for name, values in history.history.items():
        if "loss" in name and not all(math.isfinite(value) for value in values):
            raise FloatingPointError(f"{name} was {values}")
    if len(history.history.get("loss", ())) > 1:
        losses.SERIES[f"fit {trainings}"] = [float(value) for value in history.history["loss"]]
    return history


def cut_evaluate(model: Any, evaluate: Any, x: Any = None, y: Any = None, *args: Any, **options: Any) -> Any:
    """Look at a few batches."""
    if is_arrays(x):
        rows = STEPS * (options.get("batch_size") or 32)
        x, y = first_rows(x, rows), first_rows(y, rows)
    else:
        options["steps"] = min(options.get("steps") or STEPS, STEPS)
    return evaluate(model, x, y, *args, **options)


def cut_predict(model: Any, predict: Any, x: Any, *args: Any, **options: Any) -> Any:
    """Predict for the first rows of much data, and repeat what comes for the others."""
    shape = getattr(x, "shape", (0,))
    if shape[0] <= PREDICTED:
        return predict(model, x, *args, **options)
    few = predict(model, x[:PREDICTED], *args, **options)
    if isinstance(few, list | tuple):
        return type(few)(np.resize(value, (shape[0], *value.shape[1:])) for value in few)
    if isinstance(few, dict):
        return {name: np.resize(value, (shape[0], *value.shape[1:])) for name, value in few.items()}
    return np.resize(few, (shape[0], *few.shape[1:]))


def cut_batch(model: Any, train_on_batch: Any, *args: Any, **options: Any) -> Any:
    """Train on one batch."""
    count_training()
    return train_on_batch(model, *args, **options)


def count_training() -> None:
    """Count a call, or end the script."""
    global trainings
    if trainings == TRAININGS:
        raise EnoughTrained
    trainings += 1


def is_arrays(x: Any) -> bool:
    """Whether it is data in memory, rather than something that gives batches."""
    return isinstance(x, list | tuple | dict) or hasattr(x, "shape")


def first_rows(value: Any, rows: int) -> Any:
    """Return the first samples of an array, or of each one in a list or dictionary of arrays."""
    if isinstance(value, dict):
        return {name: first_rows(part, rows) for name, part in value.items()}
    if isinstance(value, list | tuple) and value and hasattr(value[0], "shape"):
        return type(value)(first_rows(part, rows) for part in value)
    return value if value is None else value[:rows]


class Showing(ModuleType):
    """Stands in for a module that only shows things in notebooks, where it is not installed."""

    version_info = (9, 0)  # matplotlib asks for it

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **options: args[0] if args else None


def main(script: str, report: str) -> None:
    """Run the script and write the report."""
    if not KERAS:
        import polykeras.as_keras

        polykeras.as_keras.install()
    fakes.install(polykeras=not KERAS)
    if COMPARED:
        fixed.install(polykeras=not KERAS, script=Path(script).read_text(encoding="utf-8"))
    cut_training()
    if NATIVE:
        losses.install(script, os.environ["KERAS_BACKEND"], STEPS)
    for package, parts in {
        "IPython": ["display", "core", "core.magic"],
        "tqdm": ["notebook"],
        "tensorflow_docs": ["vis", "vis.embed"],
    }.items():
        if importlib.util.find_spec(package) is None:
            for name in (package, *(f"{package}.{part}" for part in parts)):
                sys.modules[name] = Showing(name)
                above, _, last = name.rpartition(".")
                if above:
                    setattr(sys.modules[above], last, sys.modules[name])
    if importlib.util.find_spec("imageio") is None:
        sys.modules["imageio"] = MagicMock()  # it makes films of pictures
    np.float, np.int = float, int  # type: ignore  # as in NumPy 1, which older scripts are for
    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
    sys.argv = [script]
    sys.path[0] = str(Path(script).resolve().parent)
    outcome: dict[str, Any] = {"error": None, "note": ""}
    if COMPARED:
        fixed.seed()
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:  # whatever ends a script is its result
        if isinstance(error, EnoughTrained) or "EnoughTrained" in str(error):
            outcome["note"] = (
                f"ended after {sum(map(len, losses.SERIES.values()))} steps"
                if NATIVE
                else f"ended after {TRAININGS} trainings"
            )
        elif not (isinstance(error, SystemExit) and not error.code):
            traceback.print_exc()
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == script]
            message = (str(error).strip() or "-").splitlines()[0]
            outcome["error"] = f"line {lines[-1] if lines else '?'}: {type(error).__name__}: {message}"
    outcome["trainings"] = trainings
    for name, series in losses.SERIES.items() if COMPARED else ():
        if not name.startswith("fit "):  # whose history is noted
            fixed.note(f"loss of {name}", series[:5])  # later ones differ by how rounding grows
    outcome["numbers"] = fixed.NUMBERS
    outcome["losses"] = {name: [len(series), *losses.ends(series)] for name, series in losses.SERIES.items()}
    Path(report).write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
