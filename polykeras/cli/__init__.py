"""`polykeras` on the command line. Each command is a module of this package, loaded when it is needed.

A command's module has a docstring, which is its help (the first line appears in the list of commands),
`add_arguments(parser)`, and `run(options)`, which returns the exit status: 0 if all is well, 1 if the answer is no. If
a command cannot be run, it prints one line to stderr and returns 2.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

from polykeras.cli.errors import CommandError, one_line
from polykeras.common.naming import did_you_mean
from polykeras.common.release import __version__

COMMANDS = ("doctor", "show", "convert", "parity", "bench", "as-keras")

_DESCRIPTION = "Keras-style models, written once and run on TensorFlow, PyTorch, JAX or NumPy with the same numbers."
_EPILOG = """\
The exit status is 0 if all is well, 1 if the answer is no (something configured does not work, backends differ),
and 2 if a command cannot be run. `polykeras COMMAND --help` explains a command."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (`{self.prog} --help` explains the arguments)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the arguments without the program's name; by default those of the process.

    Returns:
        The exit status: 0, 1 or 2.

    Raises:
        SystemExit: after `--help` or `--version`, or if a script that `as-keras` runs calls `sys.exit`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if given[:1] == ["as-keras"] and given[1:2] not in (["-h"], ["--help"]):
        return _run_script(given[1:])  # argparse must not see the script's own options
    traceback = "--traceback" in given
    try:
        if not given[0].startswith("-") and given[0] not in COMMANDS:
            near = did_you_mean(given[0], COMMANDS)
            raise CommandError(f"Unknown command {given[0]!r}.{near} Known: {', '.join(COMMANDS)}.")
        options, unknown = _parser().parse_known_args(given)
        if unknown:  # `parse_args` would name the options of the program, not those of the command
            _Parser(prog=f"polykeras {options.command}").error(f"Unknown: {' '.join(unknown)}")
        with _plain_warnings():
            status: int = _module(options.command).run(options)
    except (CommandError, KeyboardInterrupt) as error:
        return _refused(error, traceback and not isinstance(error, CommandError))
    except Exception as error:  # raised by a user's file or script; --traceback also shows a bug of ours
        return _refused(error, traceback)
    return status


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings as one line, without a place in the code, within this context."""

    def show(message: Warning | str, *_: Any) -> None:
        print(f"polykeras: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _refused(error: BaseException, traceback: bool) -> int:
    """Print why a command was not run, or raise the error if its traceback was asked for."""
    if traceback:
        raise error
    print(f"polykeras: {one_line(error)}", file=sys.stderr)
    return 2


def _run_script(arguments: list[str]) -> int:
    from polykeras.cli.as_keras import run_script

    try:
        return run_script(arguments)
    except CommandError as error:
        return _refused(error, False)


def _module(command: str) -> Any:
    return import_module(f"polykeras.cli.{command.replace('-', '_')}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="polykeras", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"polykeras {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = _module(name)
        text = module.__doc__ or ""
        command = commands.add_parser(
            name,
            help=text.partition("\n")[0].rstrip("."),
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
    return parser


__all__ = ["COMMANDS", "CommandError", "main"]
