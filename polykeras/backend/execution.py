"""How functions are compiled and how a chunk of training steps runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from polykeras.backend.padding import PaddingMethods
from polykeras.backend.spec import Array, Shape
from polykeras.backend.steps import State, Step, StepRunner
from polykeras.common import nested

BatchesRunner: TypeAlias = Callable[[State, Any, int], Any]
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


class CannotMap(Exception):
    """A function is not to run over several batches in one go; the message says why."""


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


class ExecutionMethods(PaddingMethods, ABC):
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
        """

    @abstractmethod
    def compile_steps(self, step: Step) -> StepRunner:
        """Return a function that runs consecutive steps over rows of arrays that lie on the device.

        Args:
            step: the pure `(state, batch) -> (state, logs)`. The state is a list of arrays and keeps its shapes
                and dtypes; `batch` is a tree of arrays of one first length; logs is a dict of scalar arrays.

        Returns:
            `run(state, data, indices, start, stop) -> (state, logs)`: for `i` in `range(start, stop)` the step
            gets `take(leaf, indices[i], axis=0)` of each leaf of `data`, a tree or what `ready_rows` made of one.
            `indices` is int32 `(steps, batch)`, and may be an array of the host, whose values may be looked at; a
            read-only one keeps its values for good.
            The state is donated. The logs are those of the last step. At least one step runs (but see
            `compiles_ahead`). Another `start` and `stop` compile nothing anew; what another number of rows or of
            indices does says `compiles_each_size`.
        """

    @abstractmethod
    def synchronize(self, x: Any = None) -> None:
        """Wait until the arrays of the tree `x` (or, where None, all started work) are computed."""

    # ---- composed ----------------------------------------------------------------------------------------------

    def is_compiled(self) -> bool:
        """Return whether `compile` traces: whether Python code in a compiled function runs only once a shape."""
        return False

    def donates(self) -> bool:
        """Return whether what is compiled uses the memory of donated arrays, which are lost then if it fails."""
        return False

    def compiles_ahead(self) -> bool:
        """Return whether a chunk of no steps (`start == stop`) compiles what later chunks over such data run.

        Then data are the host's memory, whose values nobody reads (see `borrow`), the state is given back as it came,
        and logs mean nothing.
        """
        return False

    def threads_disturb_steps(self) -> bool:
        """Return whether what a thread does beside compiled steps comes on top of them.

        So it is with Python between kernels of the CPU: either the kernels keep all cores, or the thread takes Python's
        lock.
        """
        return False

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
            MemoryError: so many zeros are too many.
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

    def set_matmul_precision(self, precision: str | None) -> None:
        """Set how exactly accelerators multiply, for the whole process.

        Args:
            precision: see `polykeras.set_matmul_precision`; None is "highest", but for an option of the framework that
                was set already.
        """

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        """Begin a profile of what runs, by the framework's own profiler.

        Args:
            folder: where the profile goes, for TensorBoard.

        Returns:
            A function that ends it and writes the files; None where the framework has no profiler.
        """
        return None

    def seed_framework(self, seed: int) -> None:
        """Seed the framework's own random numbers, which native code in a user's layer may draw."""

    def place(self, x: Any) -> Array:
        """Return host data, or an array, on the current device in memory of its own: it may be donated.

        It suits what comes once in its shape: where `asarray` compiles a program for each shape, this does not.
        """
        return self.asarray(x)

    def borrows_in_place(self, x: Any) -> bool:
        """Return whether `borrow` gives the host's memory itself, so that what is written there later is seen.

        False promises nothing.
        """
        return False

    def borrow(self, x: Any) -> Array:
        """Return host data on the current device, in the host's own memory where that can be: no copy is made.

        The caller leaves the memory as it is until nothing computes with the array any more, and does not donate it.
        What lies in `polykeras.backend.host_memory.aligned_empty` can be used in place on every CPU.
        """
        return self.asarray(x)

    def ready_rows(self, data: Any, indices: np.ndarray) -> Any:
        """Return rows for functions of `compile_steps`, which are to run over them again and again.

        A backend may do here once what each run would do with `data` again.

        Args:
            data: a tree of arrays of this backend, whose values may change, but not where they lie.
            indices: with which the functions are going to be called, read-only: their values stay. With others what
                comes is the same, and nothing was gained.

        Returns:
            What these functions, and `rows`, take in place of `data`.
        """
        return data

    def compile_batches(self, fn: Callable[[State, Any], Any]) -> BatchesRunner | None:
        """Return a function that runs another one on several batches in one go; None where single calls are as good.

        Args:
            fn: the pure `(state, batch) -> outputs`; state, batch and outputs are trees of arrays.

        Returns:
            `run(state, batches, count) -> outputs`: each leaf of `batches`, of this backend or NumPy, is
            `(room, *shape of a batch)`. The outputs are so too, and mean something in the first `count` places.
            Another count compiles nothing anew. Where `fn` is of a kind that this makes slower, it raises `CannotMap`
            and has done nothing.
        """
        return None

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
        """Return the rows `index` of each leaf of `data`, a tree of arrays or what `ready_rows` made of one."""
        return nested.map_structure(lambda leaf: self.take(leaf, index, 0), data)
