"""`python -m polykeras.as_keras script.py args...`, or `-m module args...`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from polykeras.as_keras import install

USAGE = """\
usage: python -m polykeras.as_keras script.py [args ...]
       python -m polykeras.as_keras -m module [args ...]

Runs a script or a module in which `import keras` and `tf.keras` mean polykeras. The backend is that of
POLYKERAS_BACKEND, KERAS_BACKEND or the config file. If none of them names one, it is TensorFlow
in a program that imports it (tf.keras), otherwise the first installed one of those that
`polykeras.backends()` lists."""


def main(arguments: list[str]) -> None:
    """Run the script or module that the arguments name, like `python` itself.

    Raises:
        SystemExit: if there is nothing to run, or help was asked for.
    """
    by_module = arguments[:1] == ["-m"]
    rest = arguments[by_module:]
    if not rest or rest[0].startswith("-"):
        wanted = rest[:1] in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if wanted else sys.stderr)
        raise SystemExit(0 if wanted else 2)
    sys.argv = rest
    install()
    if by_module:
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(rest[0]).resolve().parent)
        runpy.run_path(rest[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
