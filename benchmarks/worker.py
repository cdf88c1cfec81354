"""One measurement, in a process of its own: `python -m benchmarks.worker WHO FRAMEWORK TASK [--section train]`.

Prints one line of JSON. What each section measures stands in the function of its name, in the module that
`benchmarks.sections` names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os

from benchmarks.competitors import COMPETITORS
from benchmarks.sections import SECTIONS


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=[who for who in COMPETITORS if who != "tuned"])
    parser.add_argument("framework")
    parser.add_argument("task", help="one task; several with commas for check; a part of a section that has no tasks")
    parser.add_argument("--section", choices=SECTIONS, default="train")
    parser.add_argument(
        "--given",
        type=json.loads,
        default={},
        help='JSON, more arguments of the section\'s function: {"ways": {"train": ["scan"]}} asks for these ways by '
        'hand (default: all), {"compiled": {"jit_compile": true}} adds arguments of `compile`',
    )
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = os.environ["POLYKERAS_BACKEND"] = options.framework
    section = SECTIONS[options.section]
    measure = getattr(importlib.import_module(f"benchmarks.{section.module}"), section.name)
    print(json.dumps(measure(options.who, options.framework, options.task, **options.given)))


if __name__ == "__main__":
    main()
