"""Gradients over variables or arguments, and compiled functions: code with state, on whichever backend is current."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from polykeras import config, dtypes
from polykeras.backend import Backend, registry, value_lock
from polykeras.backend.handles import Handle, convert
from polykeras.common import logits, masks, nested
from polykeras.common.lru_cache import LRUCache
from polykeras.variables import (
    Run,
    Scope,
    Variable,
    functionalize,
    learn_state,
    read_state,
    unique,
    value_of,
    write_changes,
)

P = ParamSpec("P")
R = TypeVar("R")


def value_and_grad(
    fn: Callable[..., Any],
    variables: Sequence[Variable] | Variable | None = None,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes `fn` and its gradient.

    What `fn` assigns to variables (batch-norm statistics, seeds, metrics) is carried out, as if it had run alone.
    Calls may be nested, for gradients of gradients.

    Args:
        fn: returns a float scalar, or `(scalar, aux)` with `has_aux`.
        variables: the variables to differentiate by. None: by arguments.
        argnums: which positional arguments to differentiate by, where `variables` is None: arrays or trees of them.
        has_aux: whether `fn` returns anything beside the scalar.

    Returns:
        A function of the same arguments that returns `(value, gradients)`, or `((value, aux), gradients)`. The
        gradients are shaped like `variables` or the arguments; zeros where the value does not depend on them.

    Raises:
        TypeError: a variable or argument is not of a float dtype.
        ValueError: `fn` returns no scalar.

    Example:
        >>> import polykeras
        >>> w = Variable([1.0, 2.0])
        >>> value, gradient = value_and_grad(lambda: polykeras.ops.sum(w * w), w)()
        >>> [float(g) for g in gradient]
        [2.0, 4.0]
    """

    def wrapper(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        backend = registry.current()
        if variables is None:
            places = (argnums,) if isinstance(argnums, int) else tuple(argnums)
            targets: Any = tuple(args[place] for place in places)
            leaves, definition = nested.flatten_with_def(targets)
            arrays = [convert(backend, leaf) for leaf in leaves]
        else:
            places = ()
            targets, definition = nested.flatten_with_def(variables)
            leaves = _differentiable(targets)
            arrays = read_state(leaves, backend, shared=True)
        written: list[Variable] = []
        axes: dict[int, int] = {}  # of the softmaxes whose results are among what `fn` returns
        to_know = logits.are_remembered()

        def pure(values: list[Any]) -> tuple[Any, Any]:
            call_args = list(args)
            if places:
                for place, part in zip(places, nested.unflatten(definition, values), strict=True):
                    call_args[place] = part
            with logits.remembered(), Scope() if places else Scope(leaves, values) as scope:
                result = fn(*call_args, **kwargs)
                value, aux = result if has_aux else (result, None)
                value, aux = convert(backend, value), nested.map_structure(value_of, aux)
                aux_arrays = nested.flatten(aux)
                known = _known_logits(aux_arrays) if to_know else {}
            aux_masks = [masks.kept(leaf) for leaf in aux_arrays] if masks.are_kept() else []
            if backend.shape(value) != ():
                raise ValueError(
                    f"value_and_grad differentiates a scalar; {getattr(fn, '__name__', fn)} returned an array of "
                    f"shape {backend.shape(value)}. Reduce it first, with ops.sum or ops.mean."
                )
            written[:], updates = scope.updates()
            axes.update({place: found.axis for place, found in known.items()})
            aux_logits = {place: found.logits for place, found in known.items()}
            return value, (aux, updates, dict(enumerate(aux_masks)), aux_logits)

        value, (aux, updates, aux_masks, aux_logits), gradients = backend.value_and_grad(pure, arrays)
        aux_leaves = nested.flatten(aux)  # they that came out are other arrays than those that went into the tape
        for leaf, mask in zip(aux_leaves, aux_masks.values(), strict=False):
            if mask is not None:
                masks.keep(leaf, mask)
        for place, array in aux_logits.items():
            logits.remember(aux_leaves[place], axes[place], array)
        for variable, update in zip(written, updates, strict=True):
            variable.assign(update)
        if not places:  # a variable that is listed twice has one gradient
            by_variable = dict(zip(map(id, leaves), gradients, strict=True))
            gradients = [by_variable[id(variable)] for variable in targets]
        gradients = nested.unflatten(definition, gradients)
        if places and isinstance(argnums, int):
            gradients = gradients[0]
        return ((value, aux) if has_aux else value), gradients

    return functools.wraps(fn)(wrapper) if hasattr(fn, "__name__") else wrapper


def _known_logits(leaves: Sequence[Any]) -> dict[int, logits.Known]:
    """Return what is known of the logits of arrays, by their places."""
    return {place: found for place, leaf in enumerate(leaves) if (found := logits.known(leaf)) is not None}


def _differentiable(variables: Sequence[Any]) -> list[Variable]:
    """Return the variables without repetitions.

    Raises:
        TypeError: one is no variable, or not of a float dtype.
    """
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(f"`variables` must be polykeras Variables; received {variable!r}.")
        if not dtypes.is_float(variable.stored_dtype):
            raise TypeError(
                f"Variable {variable.path!r} is {variable.stored_dtype}: gradients are taken of floats only."
            )
    return unique(variables)


def grad(
    fn: Callable[..., Any],
    variables: Sequence[Variable] | Variable | None = None,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the gradient of `fn`; arguments as for `value_and_grad`.

    Returns:
        A function that returns the gradients, or `(gradients, aux)` with `has_aux`.

    Example:
        >>> float(grad(lambda x: x * x * x)(2.0))
        12.0
    """
    compute = value_and_grad(fn, variables, argnums=argnums, has_aux=has_aux)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, gradients = compute(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return wrapper


def _is_static(leaf: Any) -> bool:
    return isinstance(leaf, (bool, str, bytes)) or not (
        isinstance(leaf, (int, float, complex, np.ndarray, np.generic, Handle)) or registry.current().is_tensor(leaf)
    )


class CompiledFunction(Generic[P, R]):
    """A function compiled on whichever backend is current. Made by `polykeras.function`."""

    def __init__(self, fn: Callable[P, R]) -> None:
        self._fn: Callable[..., R] = fn
        self._entries: LRUCache[_Entry] = LRUCache()
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the function's results; arguments as for the function, compiled once for each shape of them."""
        backend = registry.current()
        leaves, definition = nested.flatten_with_def((args, kwargs))
        static = tuple((i, leaf) for i, leaf in enumerate(leaves) if _is_static(leaf))
        places = {i for i, _ in static}
        arrays = [convert(backend, leaf) for i, leaf in enumerate(leaves) if i not in places]
        key = (backend, definition, static, config.defaults())
        entry = self._entries.get(key)
        if entry is None:
            name = getattr(self._fn, "__name__", repr(self._fn))
            entry = self._entries.put(key, _Entry(self._flat_function(definition, static), name, backend))
        return entry(arrays)

    def __getstate__(self) -> dict[str, Any]:
        """A copy compiles anew: what a backend made of the function is of this process."""
        return vars(self) | {"_entries": LRUCache()}

    def _flat_function(self, definition: Any, static: tuple[Any, ...]) -> Callable[[list[Any]], Any]:
        constants = dict(static)

        def flat(arrays: list[Any]) -> Any:
            args, kwargs = nested.unflatten(definition, nested.interleave(arrays, constants))
            with logits.remembered():  # always, as it may be traced once and called anywhere
                return self._fn(*args, **kwargs)

        return flat

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that methods can be decorated; each instance compiles its own."""
        if instance is None:
            return self
        bound = CompiledFunction(types.MethodType(self._fn, instance))
        instance.__dict__[self._fn.__name__] = bound
        return bound


class _Entry:
    """One compiled form of a function: for one backend and one structure of arguments."""

    def __init__(self, fn: Callable[[list[Any]], Any], name: str, backend: Backend) -> None:
        self.fn = fn
        self.name = f"The function {name!r}"
        self.backend = backend
        self._grow([])

    def _grow(self, variables: list[Variable]) -> None:
        # One attribute, so that another thread sees either form as a whole.
        self.form = variables, self.backend.compile(functionalize(self.fn, variables, changes_only=True))

    def __call__(self, arrays: list[Any]) -> Any:
        def run() -> Any:
            variables, compiled = self.form
            with Run(variables, self.backend) as running:
                changed, result = compiled(running.values, arrays)
                with value_lock.lock:  # other runs see none of the new values or all
                    write_changes(variables, running.values, changed, result, self.backend)
            return result

        # The state is learned by tracing: what the function uses is known when it has run once.
        return learn_state(run, lambda new: self._grow(unique([*self.form[0], *new])), self.name)


def function(fn: Callable[P, R]) -> CompiledFunction[P, R]:
    """Return `fn` compiled on the current backend, its variables handled.

    Variables that `fn` reads or assigns become inputs and outputs of the compiled function; nothing needs declaring.
    It is traced once for each backend, each structure and shape of its array arguments, and each value of those that
    are neither arrays nor numbers (strings, bools, None). A backend that does not compile runs it as it is. If it
    raises, every variable keeps its value.

    Args:
        fn: takes and returns trees of arrays.

    Returns:
        A function of the same signature.

    Example:
        >>> total = Variable(0.0)
        >>> @function
        ... def add(x):
        ...     total.assign_add(x)
        ...     return total.value * 2.0
        >>> float(add(3.0)), float(total)
        (6.0, 3.0)
    """
    return CompiledFunction(fn)
