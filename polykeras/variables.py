"""Variables, which have a home, and scopes, in which stateful code becomes a pure function.

A variable's value lives on one backend at a time, its *home*: the host after construction. Read under another current
backend it moves there, through host memory, exactly. Inside a `Scope` reads and assignments go to the scope and the
variable itself stays as it was; `functionalize` uses that to turn code over variables into
`(state, *arguments) -> (state, result)`, in one place for all backends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np

from polykeras import budget, changes, dtypes, tree
from polykeras.backend import Backend, registry
from polykeras.backend.door import Handle
from polykeras.operators import ArrayOperators

_scope: ContextVar[Scope | None] = ContextVar("polykeras_scope", default=None)
_autocast: ContextVar[str | None] = ContextVar("polykeras_autocast", default=None)


_deferring: ContextVar[bool] = ContextVar("polykeras_deferring", default=False)


TRACES = 10
"""How often code is traced to learn its variables, before it is taken to make new ones each time."""


class NewVariables(Exception):
    """Raised by a pure function that met variables which are not part of its state.

    The caller adds them to the state and traces again; users never see it.
    """

    def __init__(self, variables: list[Variable]) -> None:
        super().__init__(f"{len(variables)} variables are not part of the state.")
        self.variables = variables


class Variable(Handle, ArrayOperators):
    """An array that training changes.

    Args:
        initializer: the first value (an array, a scalar, a list), or a function `(shape, dtype=...)` that gives it.
            It runs once, on the numpy backend, whatever the current backend is; an initializer that says that it is
            `deferrable` when the value is first needed.
        shape: needed where `initializer` is a function.
        dtype: by default that of the value, or the one in which the current backend holds such data where it has no 64
            bits; the default float dtype where `initializer` is a function.
        trainable: whether an optimizer may change it.
        autocast: whether a layer of mixed precision reads it in its compute dtype.
        aggregation: how replicas would combine it; kept for Keras code, one process has one replica.
        synchronization: kept for Keras code, in the same way.
        name: for summaries and messages.

    Raises:
        ValueError: a function without a shape, or a value without a known one.

    Example:
        >>> counter = Variable(0, dtype="int32", trainable=False, name="counter")
        >>> int(counter.assign_add(1))
        1
    """

    __slots__ = (
        "__weakref__",
        "_dtype",
        "_home",
        "_lent",
        "_shape",
        "_trainable",
        "aggregation",
        "autocast",
        "constraint",
        "name",
        "overwrite_with_gradient",
        "path",
        "regularizer",
        "synchronization",
    )

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str = "auto",
        name: str | None = None,
    ) -> None:
        name = name or "variable"
        wanted = None if dtype is None else dtypes.standardize_dtype(dtype)
        if wanted is not None and shape is not None and _can_wait(initializer, shape):
            self._shape, self._dtype = tuple(map(int, shape)), wanted
            host: Any = partial(_initial_value, initializer, self._shape, wanted, name)
        else:
            host = _initial_value(initializer, shape, wanted, name)
            self._shape, self._dtype = tuple(host.shape), dtypes.standardize_dtype(host.dtype)
        # The backend, None for the host, and its array; or, on the host, a function that makes it when it is needed.
        self._home: tuple[Backend | None, Any] = (None, host)
        self._lent = False  # whether somebody else may hold the array
        self.trainable = trainable
        self.autocast = autocast
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.name = name
        self.path = name
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        changes.note()

    # ---- what it is --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def dtype(self) -> str:
        """The dtype by name, inside an autocast scope the one that reads give."""
        cast = _autocast.get()
        return cast if cast and self.autocast and dtypes.is_float(self._dtype) else self._dtype

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self._shape}, dtype={self._dtype}, value={self.numpy()}>"

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError(f"The variable {self.path!r} is a scalar and has no length.")
        return self._shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    # ---- reading -----------------------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The value as an array of the current backend."""
        scope = _scope.get()
        if scope is None:
            value = self._stored(registry.current())
            self._lent = True
        else:
            value = scope.read(self)
        cast = _autocast.get()
        if cast and self.autocast and cast != self._dtype and dtypes.is_float(self._dtype):
            return registry.current().cast(value, cast)
        return value

    @property
    def home(self) -> str:
        """The name of the backend that holds the value; `"host"` where none has read it yet."""
        backend = self._home[0]
        return "host" if backend is None else backend.name

    def numpy(self) -> np.ndarray:
        """Return the value as a NumPy array of its own memory, without moving the variable."""
        scope = _scope.get()
        if scope is not None:
            return np.array(registry.current().to_numpy(scope.read(self)))
        return np.array(self._host_value())

    def _stored(self, backend: Backend) -> Any:
        """The value outside any scope, moved to `backend` where it was elsewhere."""
        home, value = self._home
        if home is backend:
            return value
        if not backend.holds_values:
            return backend.full(self._shape, 0, self._dtype)
        if self._dtype in backend.unsupported_dtypes:
            raise TypeError(f"Variable {self.path!r} is {self._dtype}, which {backend.unsupported_dtypes[self._dtype]}")
        moved = backend.place(self._host_value())
        if not backend.is_traced(moved):
            self._home = (backend, moved)
            self._lent = False
        return moved

    def _host_value(self) -> np.ndarray:
        """The value outside any scope on the host, which is made now where nobody needed it so far."""
        home, value = self._home
        if home is not None:
            return home.to_numpy(value)
        if isinstance(value, partial):
            value = value()
            self._home = (None, value)
        return value

    def _owned(self, backend: Backend) -> Any:
        """The value outside any scope, in memory that nobody else refers to: it may be donated."""
        value = self._stored(backend)
        if self._lent:
            value = backend.place(value)
            self._home = (backend, value)
            self._lent = False
        return value

    # ---- writing -----------------------------------------------------------------------------------------------

    def assign(self, value: Any) -> Any:
        """Give the variable a new value of its own shape; the value is cast to its dtype.

        Args:
            value: an array, a variable, a number or a nested list.

        Returns:
            The new value.

        Raises:
            ValueError: the shape is another one.
            TypeError: the value is traced by a compiler that knows nothing of this variable.
        """
        backend = registry.current()
        if isinstance(value, Variable):
            value = value.value
        if not backend.is_tensor(value):
            value = backend.asarray(value, self._dtype)
        elif backend.dtype(value) != self._dtype:
            value = backend.cast(value, self._dtype)
        if backend.shape(value) != self._shape:
            raise ValueError(
                f"Variable {self.path!r} has shape {self._shape}; received a value of shape {backend.shape(value)}."
            )
        scope = _scope.get()
        if scope is not None:
            scope.write(self, value)
            return value
        if backend.is_traced(value):
            raise TypeError(
                f"Variable {self.path!r} was assigned inside a function that {backend.name} compiles by itself, where "
                "its value does not exist yet. Compile with `polykeras.function`, which carries variables out."
            )
        if backend.holds_values:
            # In memory of its own: what the caller does to his array later is not done to the variable.
            self._home = (backend, backend.place(value))
            self._lent = False
        return value

    def assign_add(self, value: Any) -> Any:
        """Add to the value; return the new one."""
        return self.assign(self + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the value; return the new one."""
        return self.assign(self - value)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Copies and pickles hold the value on the host: they need no framework to be read."""
        state = {name: getattr(self, name) for name in self.__slots__ if name != "__weakref__"}
        return None, state | {"_home": (None, self.numpy()), "_lent": False}

    def _store(self, backend: Backend, value: Any) -> None:
        """Take over a result of a compiled function, whose shape and dtype are known to be right."""
        self._home = (backend, value)
        self._lent = False


def _can_wait(initializer: Any, shape: Sequence[int]) -> bool:
    """Return whether an initializer gives the same later as now, and no error; or is not expected to be asked."""
    waits = getattr(initializer, "deferrable", False) is True or (_deferring.get() and callable(initializer))
    if _deferring.get() and not all(isinstance(n, (int, np.integer)) for n in shape):
        raise ValueError(f"The shape of a variable consists of whole numbers; received {tuple(shape)}.")
    if budget.left.get() is not None:
        budget.check_size(shape, type(None))
    return waits and all(type(n) is int and n >= 0 for n in shape)


@contextmanager
def values_deferred() -> Iterator[None]:
    """Within this context new variables take no memory: their values are about to be read from a file.

    Where one is not read after all, its initializer runs when it is first needed.
    """
    token = _deferring.set(True)
    try:
        yield
    finally:
        _deferring.reset(token)


def _initial_value(initializer: Any, shape: Sequence[int] | None, dtype: str | None, name: str) -> np.ndarray:
    if isinstance(initializer, Variable):
        initializer = initializer.numpy()
    if callable(initializer):
        if shape is None:
            raise ValueError(f"Variable {name!r}: an initializer that is a function needs `shape`; received None.")
        sizes = tuple(shape)
        if any(n is None for n in sizes):
            raise ValueError(f"Variable {name!r} needs a shape without unknown dimensions; received {sizes}.")
        # What it draws from a seed generator is drawn for good, as the variable is there for good.
        with registry.use_backend("numpy"), outside_scopes():
            initializer = initializer(tuple(int(n) for n in sizes), dtype=dtype or dtypes.standardize_dtype(None))
    host = _on_host(initializer)
    if dtype is None:
        dtype = _implied_dtype(initializer, host)
    host = np.array(host, dtype=dtypes.numpy_dtype(dtype) if dtype else None)
    if shape is not None and tuple(shape) != host.shape:
        raise ValueError(f"Variable {name!r}: expected a value of shape {tuple(shape)}; received {host.shape}.")
    return host


def _on_host(value: Any) -> np.ndarray:
    if isinstance(value, (np.ndarray, bool, int, float, complex, list, tuple)):
        return np.asarray(value)  # without a look at the current backend, whose framework need not be loaded yet
    backend = registry.current()
    return backend.to_numpy(value) if backend.is_tensor(value) else np.asarray(value)


def _implied_dtype(value: Any, host: np.ndarray) -> str | None:
    """The dtype of a variable that is given none; None for that of `host`."""
    if not hasattr(value, "dtype"):
        return dtypes.result_type(dtypes.weak(host.flat[0].item())) if host.size else dtypes.standardize_dtype(None)
    if host.dtype.itemsize < 8:
        return None
    backend = registry.current()
    return backend.dtype(backend.asarray(host))


class Scope:
    """A layer over variables, in which values are read and written instead of in the variables.

    Args:
        variables: those that have a value here from the beginning.
        values: their values.
        closed: whether reads of other variables are noted in `missing`: the scope of a whole pure function.
    """

    __slots__ = ("_closed", "_parent", "_token", "_values", "missing", "written")

    def __init__(self, variables: Iterable[Variable] = (), values: Iterable[Any] = (), closed: bool = False) -> None:
        self._values = {id(variable): value for variable, value in zip(variables, values, strict=True)}
        self._closed = closed
        self._parent: Scope | None = None
        self._token: Any = None
        self.missing: dict[int, Variable] = {}
        self.written: dict[int, Variable] = {}

    def __enter__(self) -> Scope:
        self._parent = _scope.get()
        self._token = _scope.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _scope.reset(self._token)

    def read(self, variable: Variable) -> Any:
        """Return the variable's value as this scope sees it, on the current backend."""
        key = id(variable)
        if key in self._values:
            return self._values[key]
        if self._closed:
            self.missing[key] = variable
        elif self._parent is not None:
            return self._parent.read(variable)
        else:
            variable._lent = True
        return variable._stored(registry.current())

    def write(self, variable: Variable, value: Any) -> None:
        """Record a new value of the variable."""
        key = id(variable)
        if self._closed and key not in self._values:
            self.missing[key] = variable
        self._values[key] = value
        self.written[key] = variable

    def updates(self) -> tuple[list[Variable], list[Any]]:
        """Return the variables written here, and their values."""
        return list(self.written.values()), [self._values[key] for key in self.written]


def is_functional() -> bool:
    """Return whether a scope is open: whether what runs is part of a pure function or a gradient."""
    return _scope.get() is not None


@contextmanager
def outside_scopes() -> Iterator[None]:
    """Within this context variables are read and written themselves, whatever scopes are around it."""
    token = _scope.set(None)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def autocast_scope(dtype: str | None) -> Iterator[None]:
    """Within this context variables that allow it are read in `dtype`."""
    token = _autocast.set(dtype)
    try:
        yield
    finally:
        _autocast.reset(token)


def kept_values(variables: Iterable[Variable]) -> list[tuple[Variable, Any]]:
    """Return what variables hold now, for `put_back`; values are never changed in place, so that this copies none."""
    kept = []
    for variable in unique(variables):
        variable._lent = True  # steps that follow must not use the memory again
        kept.append((variable, variable._home))
    return kept


def put_back(kept: Iterable[tuple[Variable, Any]]) -> None:
    """Give variables back what `kept_values` found."""
    for variable, home in kept:
        variable._home, variable._lent = home, True


def ever_new(name: str, variables: Sequence[Variable]) -> RuntimeError:
    """Return the error for a function that used variables unknown so far in each of `TRACES` traces."""
    return RuntimeError(
        f"{name} makes new variables each time that it runs, the last ones {[v.path for v in variables]}. Make them "
        "once, outside of it or in the `build` of a layer, and use those."
    )


def unique(variables: Iterable[Variable]) -> list[Variable]:
    """Return the variables without repetitions, in their order."""
    return list({id(variable): variable for variable in variables}.values())


def read_state(variables: Sequence[Variable], backend: Backend) -> list[Any]:
    """Return the variables' values on `backend`, in their own dtypes: the state of a pure function."""
    scope = _scope.get()
    if scope is None:
        return [variable._stored(backend) for variable in variables]
    return [scope.read(variable) for variable in variables]


def lent_state(variables: Sequence[Variable], backend: Backend) -> list[Any]:
    """Return the variables' values as `read_state` does, for code that may keep them."""
    values = read_state(variables, backend)
    if _scope.get() is None:
        for variable in variables:
            variable._lent = True
    return values


def note_lent(variables: Sequence[Variable], values: Sequence[Any], result: Any) -> None:
    """Note which of the variables' values are handed out in a result as they are."""
    given = dict(zip(map(id, values), variables, strict=True))
    for leaf in tree.flatten(result):
        if id(leaf) in given:
            given[id(leaf)]._lent = True


def own_state(variables: Sequence[Variable], backend: Backend) -> list[Any]:
    """Return the variables' values as `read_state` does, in memory that may be donated."""
    if _scope.get() is not None:
        return read_state(variables, backend)
    return [variable._owned(backend) for variable in variables]


def write_state(variables: Sequence[Variable], values: Sequence[Any], backend: Backend) -> None:
    """Give the variables the state that a pure function returned."""
    scope = _scope.get()
    for variable, value in zip(variables, values, strict=True):
        if scope is None:
            variable._store(backend, value)
        else:
            scope.write(variable, value)


def write_changes(
    variables: Sequence[Variable], given: Sequence[Any], changes: dict[int, Any], result: Any, backend: Backend
) -> None:
    """Give variables what a pure function with `changes_only` returned for them.

    Args:
        variables: the state of the function.
        given: the values that it got, which `result` may hand out as they are.
        changes: the new values by place.
        result: what the function returned beside them.
        backend: where it ran.
    """
    note_lent(variables, given, result)
    write_state([variables[i] for i in changes], list(changes.values()), backend)


def value_of(leaf: Any) -> Any:
    """Return the value of a variable, and anything else as it is."""
    return leaf.value if isinstance(leaf, Handle) else leaf


def functionalize(
    fn: Callable[..., Any], variables: Sequence[Variable], changes_only: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return code over variables as a pure function.

    Args:
        fn: any function that reads and assigns variables.
        variables: its state.
        changes_only: whether to return, instead of the whole new state, what was assigned: a dict by place.

    Returns:
        `pure(state, *args) -> (new_state, fn(*args))`, which raises `NewVariables` at its end where `fn` used
        variables that are not in the state.
    """
    keys = [id(variable) for variable in variables]

    def pure(state: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with Scope(variables, state, closed=True) as scope:
            # A variable in the result stands for its value, which exists in this scope only.
            result = tree.map_structure(value_of, fn(*args, **kwargs))
        if scope.missing:
            raise NewVariables(list(scope.missing.values()))
        if changes_only:
            return {i: scope._values[key] for i, key in enumerate(keys) if key in scope.written}, result
        return [scope._values[key] for key in keys], result

    return pure
