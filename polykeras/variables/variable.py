"""Variables: arrays that training changes.

How values are read. `value`, `numpy` and `read_state` see the innermost scope; the others see the variable itself.

| reader | returns | for |
|---|---|---|
| `value` | an array of the current backend, in the dtype of an autocast scope | users, layers |
| `numpy()` | a copy on the host; the variable stays where it is | users, files |
| `read_state(variables, backend)` | the values of several, in their own dtypes, without gradients | pure functions |
| `shared_value(backend)` | an array that is not donated later, or the parameter that native code asked for | `value` |
| `stored_value(backend)` | the array itself, moved to the backend; the next step may donate it | scopes, native code |
| `detached_value(backend)` | the same, without the gradients of a parameter | runs, `read_state` |
| `_donatable_value(backend)` | the same, in memory that nobody else refers to | runs that donate |
| `_host_value()` | a NumPy array, made now if nobody needed it; not copied | moves of this package |
| `kept_values(variables)` | where the values are, and the values, for `put_back` | undoing steps |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, registry, value_lock
from polykeras.backend.native import NativeLocation
from polykeras.backend.native.location import note_access
from polykeras.backend.scopes import current_autocast, current_scope, outside_scopes
from polykeras.backend.spec import Array
from polykeras.common import version_counter
from polykeras.common.types import ArrayLike, DTypeLike, InitializerLike
from polykeras.operators import ArrayOperators
from polykeras.variables import runs
from polykeras.variables.initial import can_wait, check_sizes, initial_value, named_initializer
from polykeras.variables.location import Located
from polykeras.variables.native_parameters import parameter_of
from polykeras.variables.runs import Run
from polykeras.variables.sharing import OWNED, SHARED

_numbers = count()


class Variable(Located, ArrayOperators):
    """An array that training changes.

    Args:
        initializer: the first value (an array, a scalar, a list), a function `(shape, dtype=...)` that returns it, or
            the name of an initializer, such as `"uniform"`. A function runs once, on the numpy backend, whatever the
            current backend is. It runs when the value is first needed if it has the attribute `deferrable`.
        shape: needed if `initializer` is a function.
        dtype: by default that of the value (on a backend without 64-bit dtypes, the one that it holds such data in),
            and the default float dtype if `initializer` is a function.
        trainable: whether an optimizer may change it.
        autocast: whether a layer of mixed precision reads it in its compute dtype.
        aggregation: what its values on workers that share a batch become: see `Layer.add_weight`.
        synchronization: kept for Keras code; the workers have one value after each step.
        name: for summaries and messages.

    Attributes:
        made_trainable: the first value of `trainable`. A layer lists these variables before its others, as Keras does.
        number: how many variables were made before it.
        reference: the variable that this one, a slot of an optimizer, belongs to; None for others.

    Raises:
        ValueError: `initializer` is a function and `shape` is missing or has unknown sizes; or the value has another
            shape.

    Example:
        >>> counter = Variable(0, dtype="int32", trainable=False, name="counter")
        >>> int(counter.assign_add(1))
        1
    """

    __slots__ = (
        "__weakref__",
        "_trainable",
        "aggregation",
        "autocast",
        "constraint",
        "made_trainable",
        "name",
        "number",
        "overwrite_with_gradient",
        "reference",
        "regularizer",
        "synchronization",
    )

    def __init__(
        self,
        initializer: InitializerLike | ArrayLike,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str = "auto",
        name: str | None = None,
    ) -> None:
        registry.load_if_imported()
        name = name or "variable"
        wanted = None if dtype is None else dtypes.standardize_dtype(dtype)
        if isinstance(initializer, str):
            initializer = named_initializer.get()(initializer)
        if wanted is not None and shape is not None:
            check_sizes(shape)
        if wanted is not None and shape is not None and can_wait(initializer, shape):
            sizes = tuple(map(int, shape))
            super().__init__(sizes, wanted, partial(initial_value, initializer, sizes, wanted, name), name)
        else:
            host = initial_value(initializer, shape, wanted, name)
            super().__init__(tuple(host.shape), dtypes.standardize_dtype(host.dtype), host, name)
        self.trainable = trainable
        self.made_trainable = self._trainable
        self.number: float = next(_numbers)
        self.autocast = autocast
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.name = name
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False
        self.reference: Variable | None = None

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        version_counter.bump()
        if self.native_parameter is not None:
            self.native_parameter.set_trainable(self._trainable)

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
        """The dtype by name. In an autocast scope it is the dtype in which the value is read."""
        cast = current_autocast.get()
        return cast if cast and self.autocast and dtypes.is_float(self._dtype) else self._dtype

    def __repr__(self) -> str:
        try:
            value: Any = self.numpy()
        except TypeError:  # within a compiled function, of which there is no value
            value = "not computed yet"
        return f"<Variable path={self.path}, shape={self._shape}, dtype={self._dtype}, value={value}>"

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
    def value(self) -> Array:
        """The value as an array of the current backend."""
        scope = current_scope.get()
        value = scope.read(self) if scope is not None else self.shared_value(registry.current())
        cast = current_autocast.get()
        if cast and self.autocast and cast != self._dtype and dtypes.is_float(self._dtype):
            return registry.current().cast(value, cast)
        return value

    @property
    def _value(self) -> Any:
        """The array as it is stored, by Keras's private name, to free its memory; None while it is on the host."""
        location, stored = self._place_and_value
        return None if location is None else stored

    def numpy(self) -> np.ndarray:
        """Return the value as a NumPy array of its own memory, without moving the variable."""
        scope = current_scope.get()
        if scope is not None:
            return np.array(registry.current().to_numpy(scope.read(self)))
        with value_lock.lock:
            location = self._place_and_value[0]
            if location is None or isinstance(location, NativeLocation) or not runs.others_run():
                return np.array(self._host_value())
        with Run([self], location) as run:
            return np.array(location.to_numpy(run.values[0]))

    def shared_value(self, backend: Backend) -> Any:
        """Return `stored_value` for code that may hold it longer than a call: later steps do not donate its memory."""
        native = backend.native
        if native.location is not None and native.location.is_watching():
            native.location.note_access(self)
        parameters = native.parameters
        with value_lock.lock:
            if not runs.others_run():
                value = self.stored_value(backend)
                if parameters is not None and self._trainable and parameters.wanted():
                    value = parameter_of(self, backend)
                if self._sharing is OWNED:
                    self._sharing = SHARED
                    if parameters is not None:
                        parameters.track_value(value, self._make_parameter)
                return value
        with outside_scopes(), Run([self], backend) as run:
            self._sharing = self._sharing or SHARED
            return run.values[0]

    def _make_parameter(self, value: Any) -> None:
        """Make a value that was given out the variable's parameter, if it still is the value."""
        location, stored = self._place_and_value
        if stored is value and self._sharing is SHARED and isinstance(location, Backend):
            parameter_of(self, location)

    # ---- writing -----------------------------------------------------------------------------------------------

    def assign(self, value: ArrayLike) -> Array:
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
        scope = current_scope.get()
        if scope is not None:
            scope.write(self, value)
            return value
        note_access(backend, [self], assigned=True)
        if isinstance(self._place_and_value[0], NativeLocation):
            self._replace_value(backend, value)
            return value
        if backend.is_traced(value):
            raise self._traced_elsewhere(backend)
        if backend.holds_values:
            # In memory of its own: what the caller does to his array later is not done to the variable.
            own = backend.place(value)
            self._replace_value(backend, own)
        return value

    def reinitialize(self, initializer: Callable[..., Any]) -> None:
        """Take the value that an initializer gives, as a new variable does.

        Outside of scopes it is on the host until it is read, where it is made faster than on a backend.

        Args:
            initializer: takes the shape and `dtype=...`.

        Raises:
            ValueError: it gives a value of another shape.
        """
        if current_scope.get() is not None or not registry.current().holds_values:
            self.assign(initializer(self._shape, dtype=self._dtype))
            return
        first: Any = partial(initial_value, initializer, self._shape, self._dtype, self.name)
        note_access(registry.current(), [self], assigned=True)
        self._replace_value(None, first if can_wait(initializer, self._shape) else first())

    def assign_add(self, value: ArrayLike) -> Array:
        """Add to the value; return the new one."""
        return self.assign(self + value)

    def assign_sub(self, value: ArrayLike) -> Array:
        """Subtract from the value; return the new one."""
        return self.assign(self - value)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Return the state with the value on the host, so that copies and pickles can be read without a framework."""
        slots = (*Located.__slots__, *Variable.__slots__)
        state = {name: getattr(self, name) for name in slots if name != "__weakref__"}
        return None, state | {"_place_and_value": (None, self.numpy()), "_sharing": OWNED, "native_parameter": None}
