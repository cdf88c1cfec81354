"""How a contract method declares itself an op: which arguments are arrays, and how their dtypes are promoted.

The declaration is read once, by `polykeras.backend.dispatch.bind`. Inside a backend, the method is an ordinary method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

Array: TypeAlias = Any
"""A backend's own array: `jax.Array`, `torch.Tensor`, `tf.Tensor`, `numpy.ndarray`, ..."""
Shape: TypeAlias = Sequence[int]
Axes: TypeAlias = int | Sequence[int]
Axis: TypeAlias = Axes | None

Promote = Literal["keep", "common", "number", "float"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class OpSpec:
    """How dispatch treats the arguments of one op.

    Attributes:
        arrays: names of the parameters that are arrays, or (nested lists or tuples of) them.
        promote: `"keep"` converts each array but keeps its dtype. `"common"` casts all to their common dtype.
            `"number"` does so too, and turns bools into int32. `"float"` also turns integers and bools into the default
            float dtype.
        others: array parameters that are converted but take no part in promotion (conditions, keys).
        indices: like `others`, but integers. Floats are refused, since some frameworks would truncate them.
        required: whether each backend must implement the method itself.
    """

    arrays: tuple[str, ...]
    promote: Promote
    others: tuple[str, ...]
    indices: tuple[str, ...]
    required: bool

    @property
    def converted(self) -> tuple[str, ...]:
        """The names of all parameters that become arrays."""
        return self.arrays + self.others + self.indices


def _declare(method: Any, spec: OpSpec) -> Any:
    method.__op__ = spec
    return method


def op(
    arrays: str = "", promote: Promote = "keep", others: str = "", indices: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a composite op: written once, on the contract, in terms of other methods.

    Args:
        arrays: space-separated names of the array parameters.
        promote: see `OpSpec`.
        others: space-separated names of array parameters that are only converted.
        indices: space-separated names of the array parameters that must be integers.
    """
    spec = OpSpec(tuple(arrays.split()), promote, tuple(others.split()), tuple(indices.split()), required=False)
    return lambda method: _declare(method, spec)


def required(
    arrays: str = "", promote: Promote = "keep", others: str = "", indices: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a required op: abstract here, implemented by every backend. Arguments are as for `op`."""
    spec = OpSpec(tuple(arrays.split()), promote, tuple(others.split()), tuple(indices.split()), required=True)
    return lambda method: _declare(abstractmethod(method), spec)


class Family(ABC):  # noqa: B024  (the methods of the families are abstract)
    """Base of the families of methods, such as `Reduction`.

    A family calls methods of other families and imports none of them, since `Backend` has them all. The order of the
    families does not matter, because no two of them define the same name.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a method of another family."""
