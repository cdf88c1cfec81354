"""The models that commands take: files, or functions in scripts."""

from __future__ import annotations

import argparse
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polykeras import as_keras
from polykeras.cli.errors import CommandError, ScriptError, one_line
from polykeras.models import Model, model_from_json
from polykeras.saving import load_model
from polykeras.saving.lambdas import code_allowed
from polykeras.saving.weights import SUFFIXES

MODEL = "a file (.keras, .h5, .hdf5, .json of `to_json`, a folder with the contents of a .keras), or script.py:function"


@dataclass(slots=True)
class Experiment:
    """A model, and the data that came with it.

    Attributes:
        model: the model.
        x: its inputs, arrays or a tree of them; None if there are none.
        y: the labels, likewise.
    """

    model: Model
    x: Any = None
    y: Any = None


def add_model_arguments(parser: argparse.ArgumentParser, with_data: bool = False) -> None:
    """Add `MODEL`, and the options for loading it.

    Args:
        parser: the parser of the command.
        with_data: whether the command uses data that a function may return with the model.
    """
    more = " that returns a model, (model, x) or (model, x, y)" if with_data else " that returns a model"
    parser.add_argument("model", metavar="MODEL", help=MODEL + more)
    add_loading_options(parser)


def add_loading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for loading files and scripts."""
    parser.add_argument(
        "--register",
        metavar="SCRIPT",
        action="append",
        default=[],
        help="run this script first: it registers the classes that a file names (may be given several times)",
    )
    parser.add_argument(
        "--unsafe", action="store_true", help="run code of lambdas that the file holds: for files that you trust"
    )
    parser.add_argument("--as-keras", action="store_true", help="`import keras` in scripts means polykeras")


def load_experiment(name: str, options: argparse.Namespace) -> Experiment:
    """Return the model that an argument names, with its data.

    Args:
        name: a file, or `script.py:function`.
        options: the options of `add_loading_options`.

    Raises:
        CommandError: if there is no such file or function, or it does not return a model.
        SavedFileError: if the file is malformed.
    """
    if options.as_keras:
        as_keras.install()
    for script in options.register:
        with _running(script) as path:
            runpy.run_path(str(path), run_name=path.stem)
    script, _, function = name.rpartition(":")
    if script.endswith(".py"):
        return _from_script(script, function)
    if name.endswith(".py"):
        raise CommandError(f"Expected script.py:function, received {name!r}: name the function that returns the model.")
    return Experiment(_from_file(name, options))


def require_file(name: str) -> None:
    """Raise CommandError if an argument is neither a file nor a function of a script."""
    is_script = any(part.endswith(".py") for part in (name, name.rpartition(":")[0]))
    if not is_script and not Path(name).exists():
        raise CommandError(f"There is no file {name!r}. Expected {MODEL}.")


def _from_file(name: str, options: argparse.Namespace) -> Model:
    path = Path(name)
    require_file(name)
    if name.endswith(SUFFIXES):
        raise CommandError(
            f"{name!r} holds only weights, not a model. Save the whole model (`model.save('model.keras')`), or combine "
            f"weights and model with `polykeras convert {name} OUT.keras --model MODEL`."
        )
    try:
        if name.endswith(".json"):
            with code_allowed(options.unsafe):
                model = model_from_json(path.read_text(encoding="utf-8"))
        else:
            model = load_model(name, safe_mode=not options.unsafe)
    except ValueError as error:
        if "safe_mode" in str(error):
            raise CommandError(f"{one_line(error)} On the command line: --unsafe.") from error
        raise
    return _checked(model, name)


def _from_script(script: str, function: str) -> Experiment:
    with _running(script) as path:
        found = runpy.run_path(str(path), run_name=path.stem)
        if function not in found:
            raise CommandError(
                f"There is no {function!r} in {script}. It has {', '.join(_functions(found)) or 'no functions'}."
            )
        made = found[function]
        made = made() if callable(made) and not isinstance(made, Model) else made
    parts = made if isinstance(made, tuple) else (made,)
    if not 1 <= len(parts) <= 3:
        raise CommandError(
            f"{script}:{function} returned {len(parts)} values; expected model, (model, x) or (model, x, y)."
        )
    return Experiment(_checked(parts[0], f"{script}:{function}"), *parts[1:])


def _functions(found: dict[str, Any]) -> list[str]:
    """Return the names of a script's own functions."""
    return [name for name, value in found.items() if getattr(value, "__module__", None) == found["__name__"]]


def _checked(model: Any, name: str) -> Model:
    if not isinstance(model, Model):
        hint = "; does it lack a `return model`?" if model is None else "; expected a model of polykeras."
        raise CommandError(f"{name} returned {'None' if model is None else f'{type(model).__name__!r}'}{hint}")
    return model


@contextmanager
def _running(script: str) -> Iterator[Path]:
    """Run a script within this context. It finds modules in its folder, and its errors state the line."""
    path = Path(script)
    if not path.is_file():
        raise CommandError(f"There is no script {script!r}.")
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield path
    except CommandError:
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{script}:{frames[-1].lineno}" if frames else script
        raise ScriptError(f"{place}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    finally:
        if folder in sys.path:  # a script may have removed it
            sys.path.remove(folder)
