"""One measurement, in a process of its own: `python -m benchmarks.worker WHO FRAMEWORK TASK [--section train]`.

Prints one line of JSON. What each section measures stands in the module that `SECTIONS` names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os

# The module in which a section's function is.
SECTIONS = {
    **dict.fromkeys(("train", "first", "predict", "calls", "check"), "measures"),
    "build": "building",
    **dict.fromkeys(("memory", "growth"), "memory"),
    "streaming": "streaming",
    "progress": "progress",
    "saving": "saving",
    "scaling": "scaling",
    "physics": "physics",
}


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=("polykeras", "keras", "native"))
    parser.add_argument("framework")
    parser.add_argument("task", help="one task; several with commas for check; an axis for scaling; else any word")
    parser.add_argument("--section", choices=SECTIONS, default="train")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = os.environ["POLYKERAS_BACKEND"] = options.framework
    module = importlib.import_module(f"benchmarks.{SECTIONS[options.section]}")
    result = getattr(module, options.section)(options.who, options.framework, options.task)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
