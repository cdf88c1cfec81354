"""The switch for fast paths, and the account of what was chosen; each in a process of its own, which reads them once."""

from __future__ import annotations

import pickle
import re
from functools import cache
from inspect import unwrap
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.forks import start
from polykeras import fast
from polykeras.backend import Backend, registry
from polykeras.backend.plain_form import composites
from polykeras.backend.providers import providers

PROGRAM = Path(__file__).with_name("fast_run.py")


def run(what: str, backend: str, **variables: str) -> tuple[int, str]:
    """Return how a function of `fast_run.py` ended on a backend, and all that the process printed."""
    variables = {"POLYKERAS_FAST": "1"} | variables  # with fast paths, also where the tests themselves run without
    with TemporaryDirectory() as folder:
        log = Path(folder) / "printed"
        command = [str(PROGRAM), what, backend]
        code = start(backend, command, log, ("-W", "error::RuntimeWarning"), **variables).wait()
        return code, log.read_text()


@cache
def overrides(backend: str, switch: str = "1") -> list[str]:
    """Return the names of a backend's own kernels, with `POLYKERAS_FAST` as the switch says."""
    code, printed = run("overrides", backend, POLYKERAS_FAST=switch)
    assert code == 0, printed
    return next(line for line in printed.splitlines() if line.startswith("overrides:")).split()[1:]


def test_the_switch_takes_the_overrides_away(backend: Backend) -> None:
    assert overrides(backend.name)
    assert overrides(backend.name, "0") == []


def test_a_wrong_value_is_refused() -> None:
    code, printed = run("overrides", "numpy", POLYKERAS_FAST="maybe")
    assert code
    assert "POLYKERAS_FAST must be 0 or 1, or names of fast paths" in printed
    assert "received 'maybe'" in printed


def test_single_kernels_are_taken_away(backend: Backend) -> None:
    whole = overrides(backend.name)
    assert overrides(backend.name, f"-{whole[0]},-repeated-calls") == whole[1:]
    assert overrides(backend.name, "-kernels") == []


def test_a_path_that_does_not_exist_is_refused() -> None:
    code, printed = run("overrides", "numpy", POLYKERAS_FAST="-recoder")
    assert code
    assert "POLYKERAS_FAST takes away recoder: expected fast paths (" in printed


def test_a_path_of_another_backend_may_be_named_without_loading_its_framework() -> None:
    switch = "".join(f",-{name}" for p in providers().values() for name in p.fast_paths)[1:]
    code, printed = run("frameworks", "numpy", POLYKERAS_FAST=switch)
    assert code == 0, printed
    assert "frameworks: none" in printed


def asked_for(folder: str) -> set[str]:
    """Return the names of the paths that the code below a folder of the repository asks for."""
    sources = (Path(__file__).parents[2] / folder).rglob("*.py")
    code = "\n".join(path.read_text("utf-8") for path in sources)
    return set(re.findall(r'fast\.enabled\("([^"]*)"\)', code))


def test_each_path_of_the_core_is_asked_for_there() -> None:
    assert asked_for("polykeras") == fast.PATHS.keys() - {"kernels"}


def test_each_path_of_a_backend_is_asked_for_there(backend: Backend) -> None:
    assert asked_for(f"backends/polykeras_{backend.name}") == set(providers()[backend.name].fast_paths)


TOLD = {
    "jax": [
        "programs of JAX for the CPU: asked to run in the thread that calls them",
        "calls of model 'm': compiled, as they are repeated",
    ],
    "tensorflow": ["calls of model 'm': compiled, as they are repeated", "a chunk of steps: XLA, as it fuses"],
    "torch": ["freed memory on torch: kept for the next step", "adam's rule on torch: its own kernel"],
}


def told(backend: Backend, **variables: str) -> list[str]:
    """Return what is said of choices while a model is called and trained."""
    code, printed = run("calls", backend.name, **variables)
    assert code == 0, printed
    return [line for line in printed.splitlines() if line.startswith("polykeras: ")]


def begin_with(lines: list[str], beginnings: list[str]) -> bool:
    """Return whether there is one line for each beginning, in this order."""
    pairs = zip(lines, beginnings, strict=False)
    return len(lines) == len(beginnings) and all(line.startswith(f"polykeras: {text}") for line, text in pairs)


def test_choices_are_told_where_that_is_asked_for(backend: Backend) -> None:
    assert told(backend) == []
    assert told(backend, POLYKERAS_EXPLAIN="1", POLYKERAS_FAST="0") == []
    lines = told(backend, POLYKERAS_EXPLAIN="1")
    assert begin_with(lines, TOLD.get(backend.name, [])), lines


AWAY = {"jax": "caller-thread", "tensorflow": "xla", "torch": "freed-memory"}


def test_one_path_is_taken_away_alone(backend: Backend) -> None:
    lines = told(backend, POLYKERAS_EXPLAIN="1", POLYKERAS_FAST=f"-{AWAY.get(backend.name, 'loaders')}")
    whole = TOLD.get(backend.name, [])
    left = {"jax": whole[1:], "tensorflow": whole[:1], "torch": whole[1:]}.get(backend.name, [])
    assert begin_with(lines, left), lines


def test_the_plain_form_is_another_backend_with_the_composites_of_the_contract(backend: Backend) -> None:
    kind = type(backend)
    plain = registry.plain(backend)
    assert type(backend) is kind
    assert isinstance(plain, kind)
    for name in composites():
        assert unwrap(getattr(type(plain), name)) is unwrap(getattr(Backend, name))
    assert pickle.loads(pickle.dumps(backend)) is registry.load(backend.name)
