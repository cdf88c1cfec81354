"""`polykeras` on the command line: each command is a module of this package, loaded when it is asked for.

A command's module has a docstring (its help; the first line stands in the list of commands),
`add_arguments(parser)` and `run(options)`, which returns the exit status: 0 where all is well, 1 where the answer is
no. What cannot be done at all is one line on stderr, and 2.
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
from polykeras.common.release import __version__

COMMANDS = ("doctor", "show", "convert", "parity", "bench", "as-keras")

_DESCRIPTION = "Keras-style models, written once and run on TensorFlow, PyTorch, JAX or NumPy with the same numbers."
_EPILOG = """\
The exit status is 0 where all is well, 1 where the answer is no (something configured does not work, backends part),
and 2 where a command cannot be run. `polykeras COMMAND --help` explains a command."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (`{self.prog} --help` explains the arguments)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        The exit status: 0, 1 or 2.

    Raises:
        SystemExit: after `--help` or `--version`, or if a script that `as-keras` runs calls `sys.exit`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["as-keras"] and given[1:2] not in (["-h"], ["--help"]):
        return _run_script(given[1:])  # the script's own options are none of argparse's
    traceback = "--traceback" in given
    try:
        options = _parser().parse_args(given)
        with _plain_warnings():
            status: int = _module(options.command).run(options)
    except (CommandError, KeyboardInterrupt) as error:
        return _refused(error, traceback and not isinstance(error, CommandError))
    except Exception as error:  # of a user's file or script; a mistake of ours shows itself with --traceback
        return _refused(error, traceback)
    return status


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Within this context warnings that are shown are one line, without a place in the code."""

    def show(message: Warning | str, *_: Any) -> None:
        print(f"polykeras: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _refused(error: BaseException, traceback: bool) -> int:
    """Say why a command was not run, or hand the error on where its traceback was asked for."""
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
