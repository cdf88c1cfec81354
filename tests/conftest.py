"""Several backends in one process: the `backend` fixture runs a test on each of those chosen.

`--backends=numpy,jax` (or the variable `POLYKERAS_TEST_BACKENDS`) restricts a run; without it all installed ones
take part. A name that is not known or not installed is an error, not a skip.

`POLYKERAS_SLICE=2/5` runs a part of the large tables alone: see `helpers/slices.py`.

`--device=cuda` (or `mps`, `gpu:1`, `cpu:1`, ...) runs the tests of the `backend` fixture on that device, of the backends that
have it. Tests that assume the CPU carry the mark `cpu_only` and are skipped then. By default all tests run on the CPU.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before TensorFlow is imported by anything
os.environ.pop("POLYKERAS_BACKEND", None)  # the choice of a developer's shell must not colour the tests
os.environ.pop("KERAS_BACKEND", None)
# JAX compiles thousands of small programs: workers, environments and later runs share them. `make clean` removes them.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import gc
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec

import hypothesis
import pytest

from helpers import slices
from helpers.times import Times
from polykeras.backend import Backend, backends, registry, use_backend
from polykeras.random import set_random_seed

hypothesis.settings.register_profile("polykeras", deadline=None, derandomize=True, max_examples=30)
hypothesis.settings.load_profile("polykeras")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backends", default=None, help="comma-separated backends to test; all installed by default")
    parser.addoption("--device", default="cpu", help="the device to test, such as cuda or gpu:1; cpu by default")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): a test of these backends together; skipped if one is not chosen")
    config.addinivalue_line("markers", "together: a test of several backends; set on what asks for them")
    config.addinivalue_line(
        "markers", "keras: compares with Keras 3 itself; skipped where that and its frameworks are not installed"
    )
    config.addinivalue_line(
        "markers", "counts_runs: counts traces, reads or runs, of which POLYKERAS_VERIFY makes more"
    )
    config.addinivalue_line("markers", "slow: takes more than a second or two")
    config.addinivalue_line("markers", "whole: always runs, in whatever slice of the large tables")
    config.addinivalue_line("markers", "moves: always runs, and takes other cases of its own in each slice")
    config.addinivalue_line("markers", "cpu_only(reason): assumes the CPU; skipped where --device is another one")
    if device_of(config) == "cpu":  # also where there are others; before any framework is imported
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    if slices.current_slice():
        config.pluginmanager.register(slices.Slices())
    if folder := os.environ.get("POLYKERAS_TIMES"):
        config.pluginmanager.register(Times(folder))
    set_random_seed(0)  # layers that tables of cases make while tests are collected draw their seeds too
    device_backends(config)


def chosen_backends(config: pytest.Config) -> list[str]:
    """Return the names of the backends under test, in alphabetical order (xdist workers must agree on it)."""
    text = config.getoption("--backends") or os.environ.get("POLYKERAS_TEST_BACKENDS")
    installed = sorted(info.name for info in backends() if info.installed)
    if not text:
        return installed
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(installed))
    if unknown:
        raise pytest.UsageError(f"--backends: {', '.join(unknown)} not installed; there are {', '.join(installed)}.")
    return sorted(names)


def device_of(config: pytest.Config) -> str:
    """Return the device under test as backends call it: those of NVIDIA and of Apple are `gpu`."""
    return config.getoption("--device").lower().replace("cuda", "gpu").replace("mps", "gpu")


def device_backends(config: pytest.Config) -> list[str]:
    """Return the names of the backends under test that have the device under test.

    Raises:
        pytest.UsageError: none has it.
    """
    names, device = chosen_backends(config), device_of(config)
    if device == "cpu":
        return names
    found = {name: registry.load(name).devices() for name in names}
    having = [name for name, devices in found.items() if device in devices or f"{device}:0" in devices]
    if not having:
        there = "; ".join(f"{name}: {', '.join(devices)}" for name, devices in found.items())
        raise pytest.UsageError(f"--device: no backend under test has {device!r}. There are {there}.")
    return having


def pytest_report_header(config: pytest.Config) -> str:
    return f"device: {device_of(config)}, of the backends {', '.join(device_backends(config))}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", device_backends(metafunc.config), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if left := {"POLYKERAS_BACKEND", "KERAS_BACKEND"} & set(os.environ):
        raise pytest.UsageError(
            f"A module of tests sets {', '.join(sorted(left))} as it is imported, which colours other tests."
        )
    chosen = set(chosen_backends(config))
    # TensorFlow brings Keras along, whose other backends want JAX: only beside all of them Keras is whole.
    no_keras = not all(find_spec(name) for name in ("keras", "jax", "torch", "tensorflow"))
    elsewhere = device_of(config) not in ("cpu", "cpu:0")
    if "numpy" not in chosen:
        config.hook.pytest_deselected(items=[item for item in items if not asks_for_backends(item)])
        items[:] = [item for item in items if asks_for_backends(item)]
    for item in items:
        if elsewhere and (assumes := item.get_closest_marker("cpu_only")):
            item.add_marker(pytest.mark.skip(reason=f"cpu_only: {assumes.args[0]}"))
        if no_keras and item.get_closest_marker("keras"):
            item.add_marker(pytest.mark.skip(reason="Keras and all its frameworks are not installed"))
        if os.environ.get("POLYKERAS_VERIFY") and item.get_closest_marker("counts_runs"):
            item.add_marker(pytest.mark.skip(reason="counts runs, of which POLYKERAS_VERIFY makes more"))
        needed = [marker.args for marker in item.iter_markers("needs")]
        if "all_backends" in getattr(item, "fixturenames", ()) or any(len(names) > 1 for names in needed):
            item.add_marker(pytest.mark.together)
        for marker in item.iter_markers("needs"):
            missing = sorted(set(marker.args) - chosen)
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"needs the backends {', '.join(missing)}"))


def pytest_collection_finish() -> None:
    """Leave what collecting made, some million objects, to no more collections of garbage, of which tests ask for many."""
    gc.collect()
    gc.freeze()
    # From 700: what traces and compiles makes much that is soon gone; this saves a tenth of the time.
    gc.set_threshold(10_000, 10, 10)


def asks_for_backends(item: pytest.Item) -> bool:
    """Return whether a test runs on the backends under test. One that does not runs once, where numpy is among them."""
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(fixtures & {"backend", "all_backends"}) or any(map(item.get_closest_marker, ("needs", "keras")))


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend under test in turn, made current for the test."""
    device = device_of(request.config)
    with use_backend(request.param) as chosen, nullcontext() if device == "cpu" else chosen.device_scope(device):
        yield chosen


@pytest.fixture
def all_backends(request: pytest.FixtureRequest) -> list[Backend]:
    """All backends under test, loaded together in this process; none of them is made current."""
    return [registry.load(name) for name in chosen_backends(request.config)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Each test starts from the same global seeds, in whatever order or process it runs."""
    set_random_seed(0)
