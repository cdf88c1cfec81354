"""Counts how often the host asks a framework for a value: each time it waits until that value is computed.

It listens at the frameworks' own methods. Python reaches values through a few methods of their arrays and through
NumPy. Kernels of PyTorch may wait too (`_local_scalar_dense`), as its profiler tells. JAX's `transfer_guard` would not
do: on a CPU, where nothing is transferred, it guards nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np

# The class of arrays, and the ways to its values: everything else in the class takes one of these.
WAYS = {
    "jax": ("jax._src.array", "ArrayImpl", ("_value", "block_until_ready")),
    "tensorflow": ("tensorflow.python.framework.ops", "_EagerTensorBase", ("_numpy",)),
    "torch": (
        "torch",
        "Tensor",
        ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__"),
    ),
}
PROFILERS = {"torch": "torch.autograd.profiler"}  # which see what kernels read by themselves
WAITING_KERNELS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal")
# Fused optimizers read the count of steps, where it lies: on a CPU on the host, on other devices in the kernel.
EXCUSED = "aten::_fused_"


class _Listener:
    """Notes the outermost of reads that call each other."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self._within = False

    def around(self, name: str, function: Callable[..., Any], concerns: Callable[..., bool]) -> Callable[..., Any]:
        def listening(*args: Any, **kwargs: Any) -> Any:
            if self._within or not concerns(*args):
                return function(*args, **kwargs)
            self.reads.append(name)
            self._within = True
            try:
                return function(*args, **kwargs)
            finally:
                self._within = False

        return listening


def _holds(x: Any, array: type) -> bool:
    """Return whether `x`, or the first thing in it, is an array of the framework."""
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, array)


def _callers(event: Any) -> Iterator[str]:
    while event.cpu_parent is not None:
        event = event.cpu_parent
        yield event.name


def _is_excused(name: str) -> bool:
    return name.startswith(EXCUSED)


@contextmanager
def host_reads(framework: str, kernels: bool = False) -> Iterator[list[str]]:
    """Within this context each read of a value of `framework` adds its name to the list that is given.

    Args:
        framework: "jax", "tensorflow" or "torch".
        kernels: whether to ask PyTorch's profiler too, which knows at the end of the context and cannot be nested.
    """
    module, name, methods = WAYS[framework]
    array = getattr(importlib.import_module(module), name)
    listener = _Listener()
    with ExitStack() as stack:
        for method in methods:
            own = getattr(array, method)
            if isinstance(own, property):
                assert own.fget is not None
                watched: Any = property(listener.around(f"{name}.{method}", own.fget, lambda *_: True))
            else:
                watched = listener.around(f"{name}.{method}", own, lambda *_: True)
            stack.enter_context(mock.patch.object(array, method, watched))
        for method in ("asarray", "array"):  # NumPy reads the memory of arrays without asking them
            watched = listener.around(f"numpy.{method}", getattr(np, method), lambda *args: _holds(args[:1], array))
            stack.enter_context(mock.patch.object(np, method, watched))
        profile: Any = None
        if kernels and framework in PROFILERS:
            profiler = importlib.import_module(PROFILERS[framework])
            profile = stack.enter_context(profiler.profile())
        yield listener.reads
    if profile is not None:
        waiting = [event for event in profile.function_events if event.name in WAITING_KERNELS]
        listener.reads += [event.name for event in waiting if not any(map(_is_excused, _callers(event)))]


@contextmanager
def reads_inside_chunks(framework: str) -> Iterator[tuple[list[str], list[int]]]:
    """Within this context polykeras's chunks of steps are listened to: the reads in them, and the steps of each."""
    steps = importlib.import_module("polykeras.training.steps")
    run_rows = steps.CompiledStep.run_rows
    found: list[str] = []
    lengths: list[int] = []

    def watched(self: Any, data: Any, indices: Any, start: int, stop: int) -> Any:
        with host_reads(framework, kernels=True) as reads:
            result = run_rows(self, data, indices, start, stop)
        found.extend(reads)
        lengths.append(stop - start)
        return result

    with mock.patch.object(steps.CompiledStep, "run_rows", watched):
        yield found, lengths
