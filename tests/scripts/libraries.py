"""Run a library's own tests with Keras and with polykeras in its place, and print both results.

    python tests/scripts/libraries.py keras-rs CHECKOUT [--backend torch] [--only keras|polykeras] [-- pytest arguments]

CHECKOUT is the library's repository (of bayesflow: its unpacked source release 2.0.8, which holds its tests), as it is.
What else a library needs must be installed. `docs/libraries.md` holds what came of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Library:
    """How the tests of a library are run.

    Attributes:
        tests: files and folders in its checkout.
        backend: on which they are run where none is named.
        leave_out: pytest's arguments that leave out what needs something else, such as a network or a TPU.
        env: variables that its own instructions ask for.
    """

    tests: tuple[str, ...]
    backend: str
    leave_out: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()


_DISTRIBUTED = ("--ignore=keras_tuner/distribute", "-k", "not chief and not distribut")  # start servers
LIBRARIES = {
    "keras-tuner": Library(("keras_tuner",), "torch", ("--ignore=keras_tuner/applications", *_DISTRIBUTED)),
    "bayesflow": Library(("tests",), "torch", ("--ignore=tests/test_examples",)),
    "keras-rs": Library(("keras_rs",), "torch", ("--ignore=keras_rs/src/layers/embedding/jax",)),
    "keras-hub": Library(
        ("keras_hub/src",),
        "torch",
        (  # need OpenVINO, vLLM, or a vocabulary that is downloaded at import
            "--ignore=keras_hub/src/utils/openvino_utils_test.py",
            "--ignore=keras_hub/src/vllm",
            "--ignore=keras_hub/src/tokenizers/byte_pair_tokenizer_test.py",
        ),
        env=(("HF_HUB_OFFLINE", "1"),),
    ),
    "deepctr": Library(("tests/layers", "tests/feature_test.py", "tests/utils_test.py"), "tensorflow"),
    "scikeras": Library(("tests",), "torch", ("--ignore=tests/test_compile_kwargs.py",)),
    "tf-keras-vis": Library(("tests",), "tensorflow"),
    "autokeras": Library(("autokeras",), "tensorflow", ("--ignore=autokeras/integration_tests",)),
    "keras-cv": Library(("keras_cv/src/bounding_box", "keras_cv/src/losses", "keras_cv/src/layers"), "torch"),
    "spektral": Library(
        ("tests/test_layers", "tests/test_models", "tests/test_utils", "tests/test_data"),
        "tensorflow",
        ("--ignore=tests/test_utils/test_convolution.py",),  # SciPy has a name no more that it asks for
    ),
    "tf-explain": Library(("tests",), "tensorflow"),
    "keract": Library(("tests",), "tensorflow"),
    "vit-keras": Library(("tests",), "tensorflow"),
    "keras-self-attention": Library(("tests",), "tensorflow", env=(("TF_KERAS", "1"),)),
    "keras-multi-head": Library(("tests",), "tensorflow", env=(("TF_KERAS", "1"),)),
}


def run(name: str, checkout: Path, backend: str, polykeras: bool, more: list[str]) -> Counter[str]:
    """Return how many tests passed, failed, gave an error or were skipped."""
    library = LIBRARIES[name]
    ours = [str(ROOT), str(ROOT / "backends")] if polykeras else []
    known = {"KERAS_BACKEND": backend, "POLYKERAS_BACKEND": backend, "MPLBACKEND": "agg", **dict(library.env)}
    path = os.pathsep.join([str(checkout), *ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        pytest = [
            "-m",
            "pytest",
            "-q",
            "-o",
            "addopts=",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore",
            f"--junitxml={report}",
        ]
        stand_in = ["-m", "polykeras.as_keras"] if polykeras else []
        command = [sys.executable, *stand_in, *pytest, *library.tests, *library.leave_out, *more]
        subprocess.run(command, cwd=checkout, env=os.environ | known | {"PYTHONPATH": path}, check=False)
        if not report.exists():
            raise SystemExit(f"{name}: the tests did not run to their end.")
        return counted(report)


def counted(report: Path) -> Counter[str]:
    """Return the counts in a JUnit report."""
    kinds = {"failure": "failed", "error": "errors", "skipped": "skipped"}
    cases = ElementTree.parse(report).iter("testcase")
    return Counter(next((kinds[part.tag] for part in case if part.tag in kinds), "passed") for case in cases)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(LIBRARIES))
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--backend", help="by default the one of docs/libraries.md")
    parser.add_argument("--only", choices=["keras", "polykeras"])
    parser.add_argument("pytest", nargs="*", help="further arguments of pytest, behind `--`")
    asked = parser.parse_args()
    backend = asked.backend or LIBRARIES[asked.name].backend
    results = {
        which: run(asked.name, asked.checkout.resolve(), backend, which == "polykeras", asked.pytest)
        for which in ("keras", "polykeras")
        if asked.only in (None, which)
    }
    for which, counts in results.items():
        print(
            f"{asked.name} on {backend} with {which}: {', '.join(f'{n} {kind}' for kind, n in sorted(counts.items()))}"
        )


if __name__ == "__main__":
    main()
