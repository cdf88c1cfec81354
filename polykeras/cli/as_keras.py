"""Run a script or a module in which `import keras` and `tf.keras` mean polykeras.

  polykeras as-keras script.py [args ...]
  polykeras as-keras -m module [args ...]

This is the same as `python -m polykeras.as_keras`. Everything after the script's name belongs to the
script. The backend is that of POLYKERAS_BACKEND, KERAS_BACKEND or the config file. If none of them
names one, it is TensorFlow in a program that imports TensorFlow.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from polykeras.as_keras.__main__ import main
from polykeras.cli.errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments, for the help only: they are passed on unchanged."""
    parser.add_argument("script", nargs=argparse.REMAINDER, help="the script, or -m and a module, and its arguments")


def run(options: argparse.Namespace) -> int:
    """Run the script that the options name, and return the exit status."""
    return run_script(options.script)


def run_script(arguments: list[str]) -> int:
    """Run a script as `python` would, with polykeras in place of Keras.

    Args:
        arguments: the script, or `-m` and a module, and its arguments.

    Returns:
        The exit status, 0. Errors of the script are not caught.

    Raises:
        CommandError: if there is no such script.
        SystemExit: if the script calls `sys.exit`.
    """
    by_module = arguments[:1] == ["-m"]
    script = arguments[by_module : by_module + 1]
    if not script or script[0].startswith("-"):
        raise CommandError(f"as-keras: expected script.py or -m module, received {' '.join(arguments) or 'nothing'!r}.")
    if not by_module and not Path(script[0]).exists():
        raise CommandError(f"as-keras: there is no script {script[0]!r}.")
    main(arguments)
    return 0
