"""Notes the losses of a script's own loops: what its tapes, backward passes and `jax.grad` differentiate, step by step.

A series is named by the function of the script that asks for the gradients. A target that is no single number is no loss
and is not noted (a gradient penalty's, say). What polykeras or Keras differentiates for itself is not noted either.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERIES: dict[str, list[float]] = {}  # by the function's name, and the place among several in it
MOST = 400 if "SCRIPT_COMPARED" not in os.environ else 150  # losses of a script: it has shown by then what it does
LEAST, SECONDS = (
    12,
    60 if "SCRIPT_COMPARED" not in os.environ else math.inf,
)  # losses that are enough after so many seconds
_names: dict[tuple[str, int], str] = {}  # by function and line
_folder = ""
_begun = time.perf_counter()
ROOT = Path(__file__).parents[2]
OURS = (str(ROOT / "polykeras"), str(ROOT / "backends"))


class EnoughTrained(BaseException):
    """Ends a script that would train on and on."""


class EnoughNoted(Exception):
    """The same from within a framework's graph, which passes on the text of an Exception."""


def install(script: str, backend: str, steps: int) -> None:
    """Note the losses of the script from now on; its own loops see `steps` batches of a data set each time."""
    global _folder, OURS
    _folder = str(Path(script).resolve().parent)
    OURS += (str(Path(importlib.import_module("keras").__file__ or "").parent),)
    {"tensorflow": of_tensorflow, "torch": of_torch, "jax": of_jax}[backend]()
    if backend == "torch":
        import torch.utils.data

        cut_iteration(torch.utils.data.DataLoader, lambda true, rows: itertools.islice(true(rows), steps))
    try:
        import tensorflow as tf
    except ImportError:
        return
    cut_iteration(tf.data.Dataset, lambda true, rows: true(rows.take(steps)))


def cut_iteration(kind: Any, cut: Callable[[Callable[[Any], Any], Any], Any]) -> None:
    """Make a pass over the data short where the script itself goes over it."""
    true = kind.__iter__

    @functools.wraps(true)
    def short(self: Any) -> Any:
        return cut(true, self) if asked_by() else true(self)

    kind.__iter__ = short


def of_tensorflow() -> None:
    """Note the targets of tapes."""
    import tensorflow as tf

    true = tf.GradientTape.gradient

    def gradient(self: Any, target: Any, *args: Any, **options: Any) -> Any:
        place = asked_by()
        if place and not in_xla and getattr(target, "shape", None) is not None and tuple(target.shape) in ((), (1,)):
            if tf.executing_eagerly():
                note(named(*place), target)
            else:
                tf.numpy_function(functools.partial(note_within, named(*place)), [target], [])
        return true(self, target, *args, **options)

    def call(self: Any, *args: Any, **options: Any) -> Any:
        place = asked_by()
        if not place or not self._jit_compile:
            return true_call(self, *args, **options)
        in_xla.append(True)  # no such notes there: the first result stands for them where it is a single number
        try:
            results = true_call(self, *args, **options)
        finally:
            in_xla.pop()
        first = results[0] if isinstance(results, tuple | list) and results else results
        if tf.is_tensor(first) and first.dtype.is_floating and first.shape == ():
            note(self.python_function.__name__, first)
        return results

    in_xla: list[bool] = []
    kind = type(tf.function(lambda: None))
    true_call = kind.__call__
    tf.GradientTape.gradient, kind.__call__ = gradient, call


def of_torch() -> None:
    """Note what backward passes begin from."""
    import torch

    true = torch.Tensor.backward

    def backward(self: Any, *args: Any, **options: Any) -> Any:
        place = asked_by()
        if place and self.numel() == 1:
            note(named(*place), self.detach())
        return true(self, *args, **options)

    torch.Tensor.backward = backward


def of_jax() -> None:
    """Note the values of functions whose gradients are taken."""
    import jax
    from jax.interpreters.partial_eval import DynamicJaxprTracer

    true = jax.value_and_grad

    def value_and_grad(fun: Any, argnums: Any = 0, has_aux: bool = False, **options: Any) -> Any:
        both = true(fun, argnums, has_aux, **options)
        return noting(both, fun, has_aux) if asked_by() else both

    def noting(both: Any, fun: Any, has_aux: bool) -> Any:
        code = getattr(getattr(fun, "__func__", fun), "__code__", None)
        name = named(getattr(fun, "__name__", "loss"), code.co_firstlineno if code else 0)

        @functools.wraps(both)
        def noted(*args: Any, **options: Any) -> Any:
            value, slopes = both(*args, **options)
            loss = value[0] if has_aux else value
            if isinstance(loss, jax.core.Tracer) and not isinstance(loss, DynamicJaxprTracer):
                return value, slopes  # one of many under `vmap`, or differentiated once more: no loss
            jax.debug.callback(functools.partial(note_within, name), loss)
            return value, slopes

        return noted

    def grad(fun: Any, argnums: Any = 0, has_aux: bool = False, **options: Any) -> Any:
        if not asked_by():
            return true_grad(fun, argnums, has_aux, **options)
        noted = noting(true(fun, argnums, has_aux, **options), fun, has_aux)

        @functools.wraps(fun)
        def slopes(*args: Any, **options: Any) -> Any:
            value, slopes = noted(*args, **options)
            return (slopes, value[1]) if has_aux else slopes

        return slopes

    true_grad = jax.grad
    jax.value_and_grad, jax.grad = value_and_grad, grad


def asked_by() -> tuple[str, int] | None:
    """Return the function of the script that called, and the line, or None where polykeras did."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            return None
        if file.startswith(_folder) or "__autograph_generated_file" in file:
            return frame.f_code.co_name.removeprefix("tf__").strip("<>"), frame.f_lineno
        frame = frame.f_back
    return None


def named(function: str, line: int) -> str:
    """Return the name of a place in a function: the function's, and a number from the second place on."""
    if (function, line) not in _names:
        count = sum(other == function for other, _ in _names)
        _names[function, line] = f"{function} ({count + 1})" if count else function
    return _names[function, line]


def note(name: str, value: Any) -> None:
    """Note a loss; EnoughTrained where there are many."""
    SERIES.setdefault(name, []).append(float(value))
    if not math.isfinite(SERIES[name][-1]):
        raise FloatingPointError(f"the loss of {name} was {SERIES[name][-1]} at step {len(SERIES[name])}")
    count = sum(map(len, SERIES.values()))
    if count >= MOST or (count >= LEAST and time.perf_counter() - _begun > SECONDS):
        raise EnoughTrained


def note_within(name: str, value: Any) -> None:
    """Note a loss that comes out of a framework's graph."""
    try:
        note(name, value)
    except EnoughTrained as error:
        raise EnoughNoted("EnoughTrained") from error


def ends(series: list[float]) -> tuple[float, float]:
    """Return the means of the first and of the last quarter."""
    count = max(1, len(series) // 4)
    return sum(series[:count]) / count, sum(series[-count:]) / count
