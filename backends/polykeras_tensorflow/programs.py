"""Graphs of flat functions, run by TensorFlow's kernels or by XLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import tensorflow as tf

from polykeras import fast
from polykeras.backend.hlo import without_places
from polykeras.backend.spec import Array
from polykeras.common.global_draws import fixed_by_tracing
from polykeras_tensorflow.collectives import raise_if_lost
from polykeras_tensorflow.compiler import compiling
from polykeras_tensorflow.graph_rewrites import replace_slow_nodes
from polykeras_tensorflow.graphs import Flat, inlined_functions, listing, trace
from polykeras_tensorflow.private import call
from polykeras_tensorflow.sharing import shared
from polykeras_tensorflow.stages import has_sums, in_stages
from polykeras_tensorflow.xla import choose, collecting_checks, hand_on, raise_out_of_range

Around = Callable[["Traced", bool], Flat]


class Traced:
    """A function of tensors as a graph, which may return one more result than the function.

    Args:
        fn: the function, of tensors.
        specs: the specs of its arguments.
        what: what it is, to explain choices to the user.
        repeated: whether it runs often enough for XLA's compilation to pay, which takes 0.1 to several seconds.
        alone: whether the graph is neither differentiated nor called from outside of its program.

    Attributes:
        specs: as given.
        what: as given.
        graph: the concrete function.
        xla: whether XLA should run it.
        in_stages: whether XLA should run only what lies between its sums over workers.
        size: the number of results of the function.
        checks: the range checks that were collected for it.
        has_check: whether the graph returns one more result: a bool, whether all indices in it are in range.
    """

    def __init__(
        self, fn: Flat, specs: Sequence[tf.TensorSpec], what: str, repeated: bool, alone: bool = False
    ) -> None:
        self._fn, self._alone = fn, alone
        drawing = fixed_by_tracing(fn)
        self.specs = specs
        self.what = what
        self.xla = False
        self.size = 0

        def with_check(*arrays: Array) -> list[Array]:
            with inlined_functions():
                results = drawing(*arrays)
            self.size = len(results)
            results = [*results, *self.checks.result()]
            graph = tf.compat.v1.get_default_graph()
            self.xla = repeated and choose(graph, self.checks, what)
            rewritten = self.xla and alone and fast.enabled("graph-rewrites")
            return replace_slow_nodes(graph, results) if rewritten else results

        with collecting_checks() as self.checks:
            self.graph = trace(with_check, specs)
        self.in_stages = self.xla and has_sums(self.graph.graph)
        self.has_check = len(self.graph.structured_outputs) > self.size

    def for_xla(self) -> Flat:
        """Return a function that runs the graph if it is a part of a program of XLA, or runs XLA's programs itself."""
        return in_stages(self.graph) if self.in_stages else lambda *arrays: call(self.graph, list(arrays))

    def for_kernels(self) -> Traced:
        """Return the function as a graph for TensorFlow's kernels, if this one was made for XLA alone."""
        return Traced(self._fn, self.specs, self.what, repeated=False) if self.xla and self._alone else self


def _itself(traced: Traced, xla: bool) -> Flat:
    if xla:
        return traced.for_xla()
    return lambda *arrays: list(traced.graph(*arrays))[: traced.size]


class Program:
    """A function that runs on XLA or on TensorFlow's kernels.

    Args:
        traced: the graph on which the choice is based.
        specs: the specs of the program's arguments.
        around: `around(traced, xla)` returns the function to run, for XLA or for TensorFlow's kernels. It contains
            `traced`, and for XLA it returns the check, if there is one, as its last result. By default, it is `traced`
            alone.
    """

    def __init__(self, traced: Traced, specs: Sequence[tf.TensorSpec], around: Around = _itself) -> None:
        self._traced, self._specs, self._around = traced, specs, around
        self._xla = traced.xla
        self._has_run = False
        self._graph = self._make()

    def _make(self) -> tf.types.experimental.ConcreteFunction:
        if self._around is _itself and not (self._xla or self._traced.has_check):
            return self._traced.graph
        whole = self._xla and not self._traced.in_stages
        graph = trace(self._around(self._traced, self._xla), self._specs, xla=whole)
        return shared(graph) if self._xla else graph

    def __call__(self, arrays: list[Array]) -> list[Array]:
        """Return the results for tensors that match the specs.

        Raises:
            IndexError: if XLA ran the graph, and an index in it was out of range.
        """
        if not tf.executing_eagerly():
            return self._inline(arrays)
        if not self._xla:
            results = self._run(arrays)
            self._has_run = True
            return results
        try:
            results = self._run(arrays)
        except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError) as error:
            if self._has_run:
                raise
            self._leave_xla(error)
            return call(self._graph, arrays)
        self._has_run = True
        if self._traced.has_check and not bool(results.pop()):
            raise_out_of_range()
        return results

    def _leave_xla(self, error: tf.errors.OpError) -> None:
        reason = error.message.splitlines()[0]
        fast.explain(self._traced.what, "TensorFlow's kernels", f"XLA could not compile it: {reason}")
        self._xla = False
        self._traced = self._traced.for_kernels()
        self._graph = self._make()

    def text(self, stage: str, arrays: list[Array]) -> str:
        """Return the program as text: XLA's, before or after its optimization, or the graph for TensorFlow's kernels.

        Args:
            stage: "traced" or "compiled", which are the same for TensorFlow's kernels.
            arrays: tensors that match the specs; their values are not used.
        """
        if self._xla and not self._traced.in_stages:
            graph = self._graph  # only a function has this method
            function = tf.function(lambda *arrays: call(graph, list(arrays)), autograph=False, jit_compile=True)
            try:
                with compiling():
                    show = function.experimental_get_compiler_ir(*arrays)
                    return without_places(show(stage="hlo" if stage == "traced" else "optimized_hlo"))
            except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError) as error:
                if self._has_run:
                    raise
                self._leave_xla(error)
        return listing(self._graph)

    def _run(self, arrays: list[Array]) -> list[Array]:
        """Run the graph. XLA may first have to compile it, or parts of it."""
        compiles = not self._has_run and (self._xla or self._traced.checks.has_parts)
        try:
            with compiling() if compiles else nullcontext():
                return call(self._graph, arrays)
        except tf.errors.OpError as error:
            raise_if_lost(error)
            raise

    def _inline(self, arrays: list[Array]) -> list[Array]:
        """Return the results as part of another graph, which makes the choice."""
        results = call(self._traced.graph, arrays)
        hand_on(self._traced.checks, results[self._traced.size :])
        return results[: self._traced.size]
