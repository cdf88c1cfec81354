"""Compilation of functions, and chunks of training steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from polykeras.backend.spec import Array, Family, Shape
from polykeras.backend.steps import PureStep, StepRunner
from polykeras.common import nested

Rule: TypeAlias = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True, slots=True)
class FusedKernel:
    """The name of an elementwise rule, for frameworks with a kernel of it.

    Attributes:
        name: for instance `"adam"`.
        numbers: the constants of the rule, by name.
    """

    name: str
    numbers: Mapping[str, float]


def arrays_and_statics(
    leaves: Iterable[Any], native: type | tuple[type, ...], asarray: Callable[[Any], Array]
) -> tuple[list[Array], dict[int, Any]]:
    """Return the leaves of a compiled function's arguments that are data, as arrays, and the others by their index.

    The others are part of the compiled program: another string, or None, compiles it again.

    Args:
        leaves: the leaves.
        native: the type of the framework's arrays.
        asarray: converts a number, or an array of another kind.
    """
    arrays: list[Array] = []
    statics: dict[int, Any] = {}
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, native):
            arrays.append(leaf)
        elif isinstance(leaf, (bool, int, float, complex)) or hasattr(leaf, "dtype"):
            arrays.append(asarray(leaf))
        else:
            statics[place] = leaf
    return arrays, statics


class Execution(Family):
    """Compilation and loops over steps. All functions here are pure functions of trees of arrays."""

    # ---- required ----------------------------------------------------------------------------------------------

    @abstractmethod
    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        """Return `fn` compiled, if this backend compiles: traced once for each set of shapes and dtypes.

        Args:
            fn: a pure function of trees of arrays that returns such a tree. It may be called with NumPy arrays, and
                gets them as arrays of the backend. An exception that it raises while it is traced reaches the caller
                unchanged, and the next call traces again.
            donate_first: whether the memory of the arrays in the first argument may be used for the result. The caller
                must not use them again.
            collective: whether `fn` calls methods of the family `Collectives`. Then all workers call the function, with
                arguments of the same shapes: the first has the same values on all of them, and gets the same ones; the
                leaves of the others have a row for each row of this process's share of a batch, or no axis.

        Returns:
            The function. If it has a program to show, it has a method `program(stage, *args)`, which returns as text
            what runs for such arguments: the framework's input for the stage `"traced"`, and its output for
            `"compiled"`. The method changes and donates nothing. It returns None if plain Python runs.
        """

    @abstractmethod
    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        """Return a function that runs consecutive steps over rows of arrays on the device.

        Args:
            step: the pure function `(state, batch) -> (state, logs)`. The state is a list of arrays that keep their
                shapes and dtypes. `batch` is a tree of arrays with a common first size. `logs` is a dict of scalars.
            collective: see `compile`. The state has the same values on all workers; `data` and `indices` are those of
                this process.

        Returns:
            `run(state, data, indices, start, stop) -> (state, logs)`: for each `i` in `range(start, stop)`, the step
            gets `take(leaf, indices[i], axis=0)` of each leaf of the tree `data`.
            `indices` is int32 `(steps, batch)`. It may be a host array, whose values may be read; a read-only one never
            changes its values. The state is donated. The logs are those of the last step; at least one step runs.
            Another `start` and `stop` compile nothing again. `ExecutionPolicy.compiles_each_size` says whether another
            number of rows does.
        """

    @abstractmethod
    def synchronize(self, x: Any = None) -> None:
        """Wait until the arrays of the tree `x` are computed; without `x`, wait for all work that was started."""

    # ---- composed ----------------------------------------------------------------------------------------------

    def infer_shapes(
        self,
        fn: Callable[[list[Array], Callable[[], AbstractContextManager[Any]]], Sequence[Array]],
        specs: Sequence[tuple[Shape, str]],
    ) -> list[tuple[tuple[int | None, ...], str]]:
        """Return the shapes and dtypes of the results of a function that calls the framework itself.

        A framework that can run code on arrays without values does so. Other backends compute with zeros.

        Args:
            fn: `fn(arrays, outside)` returns a list of arrays. `outside()` returns a context in which new arrays have
                values.
            specs: the shapes and dtypes of `arrays`.

        Returns:
            A shape and a dtype for each array that `fn` returns; None for a size that depends on values.

        Raises:
            MemoryError: if the zeros would take too much memory.
        """
        total = sum(prod(shape) for shape, _ in specs)
        if total > 2**26:
            raise MemoryError(f"Shapes are not inferred by computing with arrays of {total} elements.")
        state = np.random.get_state(legacy=False)
        try:
            with np.errstate(all="ignore"):  # as in compiled code
                results = fn([self.full(shape, 0, dtype) for shape, dtype in specs], nullcontext)
        finally:
            np.random.set_state(state)
        return [(self.shape(x), self.dtype(x)) for x in results]

    def map_elementwise(
        self,
        rule: Rule,
        lists: Sequence[Sequence[Array]],
        scalars: Sequence[Any] = (),
        fused_kernel: FusedKernel | None = None,
    ) -> list[list[Array]]:
        """Run one elementwise rule over the arrays of an optimizer. All updates go through this method.

        Args:
            rule: takes one array of each list and the scalars, returns a tuple of arrays.
            lists: for instance `[parameters, gradients, first_moments]`, all of one length.
            scalars: passed on unchanged.
            fused_kernel: the name of the rule, for a backend that has a kernel of it; others ignore it.

        Returns:
            One list for each result of the rule. A backend may run the rule on several arrays at once, since the rule
            is elementwise.
        """
        results = [rule(*arrays, *scalars) for arrays in zip(*lists, strict=True)]
        return [list(column) for column in zip(*results, strict=True)]

    def rows(self, data: Any, index: Array) -> Any:
        """Return the rows `index`, an array of this backend or the host, of each leaf of the tree `data`."""
        place = self.asarray(index)
        return nested.map_structure(lambda leaf: self.take(leaf, place, 0), data)
