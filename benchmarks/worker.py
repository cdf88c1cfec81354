"""One measurement, in a process of its own: `python -m benchmarks.worker WHO FRAMEWORK TASK [--section train]`.

Prints one line of JSON. What each section measures stands in `benchmarks.measures`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os

SECTIONS = ("train", "first", "predict", "calls", "build", "check")


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=("polykeras", "keras", "native"))
    parser.add_argument("framework")
    parser.add_argument("task", help="one task; several with commas for the section check; any word for build")
    parser.add_argument("--section", choices=SECTIONS, default="train")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = os.environ["POLYKERAS_BACKEND"] = options.framework
    if options.section == "build":  # it measures imports, so that nothing may be imported before
        result = importlib.import_module("benchmarks.building").build(options.who, options.framework)
    else:
        measures = importlib.import_module("benchmarks.measures")
        result = getattr(measures, options.section)(options.who, options.framework, options.task)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
