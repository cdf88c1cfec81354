"""What tests take time for, written beside their results.

With `POLYKERAS_TIMES=FOLDER`, each run of pytest leaves a JUnit report there. A test has up to three properties in it: the seconds for
which it waited for other processes, those in which JAX compiled or TensorFlow traced, and whether Keras ran beside. `tests/times.py` reads
the reports.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.forks import Forking


class Times:
    """A plugin of pytest that measures and reports.

    Args:
        folder: for the reports.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._spent = {"waited": 0.0, "compiled": 0.0}
        self._nested = False
        for owner, method in (subprocess.Popen, "wait"), (subprocess.Popen, "communicate"), (Forking, "has_answered"):
            self._measure(owner, method, "waited")

    def pytest_configure(self, config: pytest.Config) -> None:
        if not hasattr(config, "workerinput"):
            config.option.xmlpath = str(self._folder / f"{Path(sys.prefix).name}-{time.time_ns()}.xml")

    def _measure(self, owner: Any, name: str, kind: str) -> None:
        function = getattr(owner, name)

        def measured(*args: Any, **kwargs: Any) -> Any:
            if self._nested:
                return function(*args, **kwargs)
            begin, self._nested = time.perf_counter(), True
            try:
                return function(*args, **kwargs)
            finally:
                self._nested = False
                self._spent[kind] += time.perf_counter() - begin

        setattr(owner, name, measured)

    def _compiled(self, event: str, seconds: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile"):
            self._spent["compiled"] += seconds

    def _once(self, module: str, do: Callable[[Any], None]) -> None:
        loaded = sys.modules.get(module)
        if loaded is not None and not hasattr(loaded, "_polykeras_measures"):
            loaded._polykeras_measures = True  # type: ignore[attr-defined]
            do(loaded)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._once("jax.monitoring", lambda jax: jax.register_event_duration_secs_listener(self._compiled))
        self._once(
            "tensorflow.python.framework.func_graph",
            lambda tf: self._measure(tf, "func_graph_from_py_func", "compiled"),
        )
        self._spent.update(waited=0.0, compiled=0.0)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        item.user_properties += [(kind, round(seconds, 3)) for kind, seconds in self._spent.items() if seconds > 0.001]
        if item.get_closest_marker("keras"):
            item.user_properties.append(("keras", 1))
