"""The contract: what a framework supplies, and what it gets for it."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

from polykeras.backend.execution import ExecutionMethods
from polykeras.backend.native import Native


class Backend(ExecutionMethods, ABC):
    """One framework behind the names of the Array API and Keras.

    A subclass implements the abstract methods (about 100) and gets all others, each written once in the family
    mixins below this class. It may override one of those where a native kernel pays; the reflection tests hold it to
    the same parameters and defaults, and to no other public names.

    Attributes:
        name: as users write it, for instance `"torch"`.
        version: that of the framework.
        holds_values: False for the symbolic backend, whose arrays are shapes and dtypes only.
        unsupported_dtypes: dtypes that arrays cannot have, mapped to the reason and the way out.
        compiles_calls: whether calls of a model outside any step are worth compiling when they are repeated: where an
            eager operation takes tens of microseconds, and compiled code can be differentiated like eager code.
        compiles_each_size: whether another number of rows or of indices makes `compile_steps` compile its steps anew.
        native: what it knows of code in the framework's own idiom; see `Native`.
        can_differentiate: False where `value_and_grad` is not to be had at all.
    """

    name: ClassVar[str]
    version: ClassVar[str] = ""
    holds_values: ClassVar[bool] = True
    can_differentiate: ClassVar[bool] = True
    compiles_calls: ClassVar[bool] = False
    compiles_each_size: ClassVar[bool] = False
    native: ClassVar[Native] = Native()

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        """Dtypes this backend has not, each with the reason and the way out."""
        return {}

    def foreign(self, framework: str, wanted_by: str) -> Any:
        """Return what a layer around code of a framework needs of it: a module of that framework's backend.

        Args:
            framework: by its import name.
            wanted_by: the layer, for the message.

        Raises:
            ValueError: this backend is of another framework.
        """
        raise ValueError(
            f"{wanted_by} runs code of {framework}, and so with the backend of that framework alone; the current one "
            f"is {self.name!r}. Choose it before: `polykeras.set_backend({framework!r})`."
        )

    def __repr__(self) -> str:
        return f"<polykeras backend {self.name}>"

    def __reduce__(self) -> Any:
        from polykeras.backend.registry import load

        return load, (self.name,)
