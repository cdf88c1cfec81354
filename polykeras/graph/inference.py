"""Shape inference: runs code on the symbolic backend or, for a framework's own code, on abstract arrays.

Arrays of the symbolic backend are a shape and a dtype, and only the ops of polykeras work on them. For code that uses
other functions, the current backend's framework infers the shapes: it runs the same code on its own arrays without
values (`Backend.infer_shapes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from polykeras.backend import Backend, registry
from polykeras.backend.symbolic import (
    SYMBOLIC,
    SymbolicArray,
    UnknownDim,
    cannot_run_on_shapes,
    last_size_read,
    note_failure,
    stand_in,
)
from polykeras.common import nested
from polykeras.graph.tensor import KerasTensor
from polykeras.variables import Scope, Variable, value_of

# Two sizes that stand in for an unknown one during inference. They have many divisors, so that reshapes fit. If a size
# of the result differs between them, it is unknown too.
_STAND_INS = (2520, 5040)

# Stand-ins for native code, where a size is a plain int. The small ones come first, because they are smaller than
# position tables, and a slice of the first hundred keeps them. The others have many divisors, and are larger than
# windows.
_NATIVE_STAND_INS = ((34, 38), (1680, 3360))

Leave = Callable[[], AbstractContextManager[Any]]


class _Inference:
    """The state of inference, while code runs on arrays without values.

    Args:
        backend: the backend that the code runs on.
        leave: a function that returns a context in which arrays have values.
        size: the stand-in for unknown sizes if nothing else marks them; otherwise None.
    """

    def __init__(self, backend: Backend, leave: Leave, size: int | None = None) -> None:
        self.backend = backend
        self.leave = leave
        self.size = size
        self._attributes: list[tuple[Any, str, dict[str, Any]]] = []

    @contextmanager
    def __call__(self, scope: Scope) -> Iterator[None]:
        """Return a context for code without values. At its end, attributes that hold such arrays are restored."""
        token = _inference.set(self)
        around = registry.chosen()
        around = around if around is None or around.holds_values else registry.around_inference.get()
        named = registry.around_inference.set(around)
        try:
            with registry.use_backend(self.backend), scope:
                yield
        finally:
            registry.around_inference.reset(named)
            _inference.reset(token)
            self._take_back()

    def note(self, owner: Any, name: str) -> None:
        """Record that an attribute is about to be set."""
        self._attributes.append((owner, name, {name: vars(owner)[name]} if name in vars(owner) else {}))

    def _take_back(self) -> None:
        """Restore the earlier values of attributes that now hold arrays without values."""
        for owner, name, before in reversed(self._attributes):
            if any(map(self.backend.is_tensor, nested.flatten(vars(owner).get(name)))):
                vars(owner).pop(name)
                vars(owner).update(before)


_inference: ContextVar[_Inference | None] = ContextVar("polykeras_inference", default=None)


def _running() -> _Inference | None:
    """Return the active inference; None outside of any, or inside a layer's `build`."""
    inference = _inference.get()
    return inference if inference is not None and registry.chosen() is inference.backend else None


def _way_out() -> Leave:
    """Return a function for a context in which arrays have values, called before code runs without them."""
    running = _running()
    if running is not None:
        return running.leave
    choice = registry.chosen()
    return lambda: registry.use_chosen(choice)


@contextmanager
def outside_inference() -> Iterator[None]:
    """Leave inference for this block, as in a layer's `build`, whose arrays must have values."""
    running = _running()
    if running is None:
        yield
        return
    token = _inference.set(None)
    try:
        with running.leave():
            yield
    finally:
        _inference.reset(token)


def note_set(owner: Any, name: str) -> None:
    """Record that an attribute is about to be set, because it must not keep an array without values."""
    inference = _inference.get()
    if inference is not None:
        inference.note(owner, name)


def known_shape(backend: Backend, x: Any) -> tuple[int | None, ...]:
    """Return the shape of an array of `backend`, with None for unknown sizes."""
    if isinstance(x, SymbolicArray):
        return _known(x.dims)
    inference = _inference.get()
    if inference is None:
        return _known(backend.shape(x))
    return tuple(None if n == inference.size else n for n in x.shape)


def _known(dims: tuple[int, ...]) -> tuple[int | None, ...]:
    return tuple([None if isinstance(n, UnknownDim) else n for n in dims])


def infer_outputs(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], native: bool = True) -> Any:
    """Return the symbolic results of `fn` for arguments that contain `KerasTensor`s.

    `fn` runs on the symbolic backend; if it calls a framework's own functions, it runs on arrays of that framework
    without values. Its assignments to variables are dropped, and so are arrays without values that it stores in
    attributes of layers.

    Args:
        fn: code over ops, or over functions of the current backend's framework.
        args: its positional arguments.
        kwargs: its keyword arguments.
        native: whether it may run on arrays of the framework.

    Raises:
        Exception: an error of `fn`. `cannot_run_on_shapes` tells whether a framework's code caused it.
    """
    try:
        return _infer_symbolically(fn, args, kwargs)
    except Exception as error:
        if not native or not cannot_run_on_shapes(error):
            raise
        reason = error
    running = _inference.get()
    if running is None or registry.chosen() is not SYMBOLIC:
        return _infer_natively(fn, args, kwargs, reason)
    with running.leave():  # this inference is nested in one on the symbolic backend
        return _infer_natively(fn, args, kwargs, reason)


# ---- on the symbolic backend -----------------------------------------------------------------------------------------


def _infer_symbolically(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run `fn` once, and again with another stand-in if it read an unknown size, which may have lost its mark."""

    def run(size: int) -> Any:
        call_args, call_kwargs = nested.map_structure(lambda leaf: _stand_in(leaf, size), (args, kwargs))
        before = stand_in.set(size)
        try:
            with _Inference(SYMBOLIC, leave)(Scope(closed=True)):
                return fn(*call_args, **call_kwargs)
        finally:
            stand_in.reset(before)

    leave = _way_out()
    before = last_size_read()
    first = run(_STAND_INS[0])
    second = first if last_size_read() == before else run(_STAND_INS[1])
    return nested.map_structure(_merge, first, second)


def _stand_in(leaf: Any, size: int) -> Any:
    if not isinstance(leaf, KerasTensor):
        return leaf
    return SymbolicArray(tuple(UnknownDim(size) if n is None else n for n in leaf.shape), leaf.dtype)


def _merge(first: Any, second: Any) -> Any:
    if not isinstance(first, SymbolicArray):
        return first
    shape = zip(_known(first.dims), _known(second.dims), strict=True)
    return KerasTensor(tuple(a if a == b else None for a, b in shape), first.dtype)


# ---- on arrays of a framework ----------------------------------------------------------------------------------------


class _WithoutValues(Scope):
    """A scope in which variables are read as arrays of their shapes; no value is created or moved."""

    def read(self, variable: Variable) -> Any:
        inference = _running()
        if inference is None:  # inside a layer's `build`
            return super().read(variable)
        if id(variable) in self.written:
            return super().read(variable)
        # A new array each time, because an array made in the body of a loop must not be used outside of it.
        return inference.backend.full(variable.shape, 0, variable.stored_dtype)


def _infer_natively(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: Exception) -> Any:
    """Run `fn` on arrays of the current backend without values, with two stand-ins for unknown sizes.

    Raises:
        Exception: `reason` if the backend has no such arrays; otherwise an error of `fn`.
    """
    backend = registry.current()
    if not backend.holds_values:
        raise reason
    leaves, definition = nested.flatten_with_def((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]
    shapes = [leaves[i].shape for i in places]

    def run(size: int | None) -> Any:
        specs = [(tuple(size if n is None else n for n in leaves[i].shape), leaves[i].dtype) for i in places]
        return _run_natively(backend, fn, specs, lambda arrays: nested.unflatten(definition, filled(arrays)), size)

    def filled(arrays: list[Any]) -> list[Any]:
        given = dict(zip(places, arrays, strict=True))
        return [given.get(i, leaf) for i, leaf in enumerate(leaves)]

    sizes = {n for shape in shapes for n in shape}
    pairs = [pair for pair in _NATIVE_STAND_INS if sizes.isdisjoint(pair)] if None in sizes else [(None, None)]
    raised: list[Exception] = []
    for first_size, second_size in pairs:
        try:
            first = run(first_size)
            second = first if first_size == second_size else run(second_size)
            return nested.map_structure(_merge_native, first, second)
        except Exception as error:
            raised.append(error)
    error = raised[0] if raised else reason
    note_failure(error)
    raise error


class _Found:
    """The inferred shape and dtype of an array."""

    def __init__(self, shape: tuple[int | None, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, dtype


def _merge_native(first: Any, second: Any) -> Any:
    if not isinstance(first, _Found):
        return first
    shape = zip(first.shape, second.shape, strict=True)
    return KerasTensor(tuple(a if a == b else None for a, b in shape), first.dtype)


def _run_natively(
    backend: Backend,
    fn: Callable[..., Any],
    specs: list[tuple[Any, str]],
    arguments: Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]],
    size: int | None,
) -> Any:
    """Return the result of `fn` for the given shapes and dtypes, with a `_Found` in place of each array."""
    results: list[Any] = []
    definition: Any = None
    choice = registry.chosen()

    def flat(arrays: list[Any], leave: Leave) -> list[Any]:
        nonlocal results, definition

        @contextmanager
        def outside() -> Iterator[None]:
            with registry.use_chosen(choice), leave():
                yield

        args, kwargs = arguments(arrays)
        with _Inference(backend, outside, size)(_WithoutValues(closed=True)):
            result = nested.map_structure(value_of, fn(*args, **kwargs))
        results, definition = nested.flatten_with_def(result)
        return [leaf for leaf in results if backend.is_tensor(leaf)]

    found = iter(backend.infer_shapes(flat, specs))
    return nested.unflatten(definition, [_Found(*next(found)) if backend.is_tensor(leaf) else leaf for leaf in results])
