"""How functions are compiled and how a chunk of training steps runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from polykeras.backend.spec import Array, Family, Shape
from polykeras.backend.steps import Step, StepRunner
from polykeras.common import nested

Rule: TypeAlias = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True, slots=True)
class FusedKernel:
    """What an elementwise rule is called where frameworks have a kernel of it.

    Attributes:
        name: for instance `"adam"`.
        numbers: those in the rule that stay as they are, by name.
    """

    name: str
    numbers: Mapping[str, float]


def arrays_and_statics(
    leaves: Iterable[Any], native: type | tuple[type, ...], asarray: Callable[[Any], Array]
) -> tuple[list[Array], dict[int, Any]]:
    """Return those leaves of a compiled function's arguments that are data, as arrays, and the others by their place.

    The others are part of what is compiled: for another string, or None, it is compiled anew.

    Args:
        leaves: the leaves.
        native: the type of the framework's arrays.
        asarray: makes one of a number, or of an array of another kind.
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
    def compile(self, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
        """Return `fn` compiled, if this backend compiles: traced once for each set of shapes and dtypes.

        Args:
            fn: a pure function of trees of arrays, returning such a tree. It is called with NumPy arrays too, which
                it sees as arrays of the backend. An exception that it raises while it is
                traced reaches the caller unchanged, and the next call traces again.
            donate_first: the memory of the arrays in the first argument may be used for the result: the caller
                does not touch them again.

        Returns:
            The function. Where there is a program that can be shown, it has a method `program(stage, *args)`, which
            returns as text what runs for such arguments: of the stage `"traced"` what the framework was given, of
            `"compiled"` what is made of it. It changes and donates nothing; None where plain Python runs.
        """

    @abstractmethod
    def compile_steps(self, step: Step) -> StepRunner:
        """Return a function that runs consecutive steps over rows of arrays that lie on the device.

        Args:
            step: the pure `(state, batch) -> (state, logs)`. The state is a list of arrays and keeps its shapes
                and dtypes; `batch` is a tree of arrays of one first length; logs is a dict of scalar arrays.

        Returns:
            `run(state, data, indices, start, stop) -> (state, logs)`: for `i` in `range(start, stop)` the step
            gets `take(leaf, indices[i], axis=0)` of each leaf of `data`, a tree.
            `indices` is int32 `(steps, batch)`, and may be an array of the host, whose values may be looked at; a
            read-only one keeps its values for good.
            The state is donated. The logs are those of the last step; at least one runs. Another `start` and `stop`
            compile nothing anew; `ExecutionPolicy.compiles_each_size` says what another number of rows does.
        """

    @abstractmethod
    def synchronize(self, x: Any = None) -> None:
        """Wait until the arrays of the tree `x` (or, where None, all started work) are computed."""

    # ---- composed ----------------------------------------------------------------------------------------------

    def infer_shapes(
        self,
        fn: Callable[[list[Array], Callable[[], AbstractContextManager[Any]]], Sequence[Array]],
        specs: Sequence[tuple[Shape, str]],
    ) -> list[tuple[tuple[int | None, ...], str]]:
        """Return the shapes and dtypes that a function gives, which calls functions of the framework itself.

        A framework that can run code on arrays without values does so. Others compute with zeros.

        Args:
            fn: `fn(arrays, outside)` returns a list of arrays. What `outside()` gives is a context in which arrays that
                are made have values.
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
            with np.errstate(all="ignore"):  # as in what is compiled
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
        """Run one elementwise rule over the arrays of an optimizer: the one hook through which updates go.

        Args:
            rule: takes one array of each list and the scalars, returns a tuple of arrays.
            lists: for instance `[parameters, gradients, first_moments]`, of one length.
            scalars: passed on as they are.
            fused_kernel: what the rule is, for a backend that has a kernel of it; others need not look.

        Returns:
            One list for each result of the rule. A backend may run the rule on several arrays at once, since it
            does not see more than one element.
        """
        results = [rule(*arrays, *scalars) for arrays in zip(*lists, strict=True)]
        return [list(column) for column in zip(*results, strict=True)]

    def rows(self, data: Any, index: Array) -> Any:
        """Return the rows `index`, an array of this backend or the host, of each leaf of `data`, a tree of arrays."""
        place = self.asarray(index)
        return nested.map_structure(lambda leaf: self.take(leaf, place, 0), data)
