"""Types of arguments that many functions take. They are for readers and type checkers: nothing is imported for them.

An array of a backend has the type `polykeras.backend.spec.Array`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from polykeras.backend.spec import Array
    from polykeras.constraints import Constraint
    from polykeras.initializers import Initializer
    from polykeras.regularizers import Regularizer

    class HasArray(Protocol):
        """What NumPy can read: arrays of all frameworks, data frames, variables."""

        def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
            """Return the values."""
            ...

    class HasName(Protocol):
        """A dtype with a name, as NumPy's and TensorFlow's, or a dtype policy."""

        @property
        def name(self) -> str:
            """Such as `"float32"`."""
            ...

    class HasWidth(Protocol):
        """A dtype without a name, as PyTorch's."""

        @property
        def itemsize(self) -> int:
            """How many bytes a number takes."""
            ...


ArrayLike: TypeAlias = Any
"""Whatever becomes an array: one of a framework or NumPy, a variable, a number, nested lists, or a symbolic tensor.

The frameworks' types have no common base, so type checkers accept anything.
"""

DTypeLike: TypeAlias = "str | type | HasName | HasWidth | None"
"""The name of a dtype, NumPy's or a framework's dtype, a Python type, or a policy if one fits; None: the default."""

InputShape: TypeAlias = "Sequence[int | None]"
"""The sizes of an input's axes, None for unknown ones."""

ActivationLike: TypeAlias = "str | Callable[..., Array] | Mapping[str, Any] | None"
"""A name such as `"relu"`, a function of an array, a layer, or a config; None for none."""

InitializerLike: TypeAlias = "str | type[Initializer] | Callable[..., Array] | HasArray | Mapping[str, Any] | None"
"""A name such as `"zeros"`, an initializer or its class, a function `(shape, dtype)`, the values, or a config."""

RegularizerLike: TypeAlias = "str | type[Regularizer] | Callable[[Array], Array] | Mapping[str, Any] | None"
"""A name such as `"l2"`, a regularizer or its class, a function of an array, or a config; None for none."""

ConstraintLike: TypeAlias = "str | type[Constraint] | Callable[[Array], Array] | Mapping[str, Any] | None"
"""A name such as `"max_norm"`, a constraint or its class, a function of an array, or a config; None for none."""
