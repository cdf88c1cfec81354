"""What a backend knows of code in its framework's own idiom: the one optional hook of the contract for it.

Neutral code takes gradients by `value_and_grad` and never comes here. Native code wants to find the values of variables
in objects of its framework, in which gradients gather, and layers among the framework's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.backend.native_location import Adoption, NativeLocation


class Native:
    """The hook of a framework without such objects: it does nothing, and is never asked for more.

    Attributes:
        location: how variables are stored that such code has looked at; None where it sees arrays only.
        adoption: how the framework's own variables, and what holds some, become parts of layers; None for none.
        steps_take_state: whether Keras's models on this framework have `train_step(state, data)`.
        asked: whether native code of this process has asked for the objects in which gradients gather. From then on
            each read of a trainable variable outside of steps makes one.
        layer_base: the framework's own class of layers, which layers become instances of when the backend is loaded.
        parts: types of the framework that layers take in, when they are set as attributes.
        wrapper: the name of the layer that is one of the framework's own.
        steps: whether a user's own step may ask for such objects.
    """

    location: NativeLocation | None = None
    adoption: Adoption | None = None
    steps_take_state: bool = False
    asked: bool = False
    layer_base: type | None = None
    parts: tuple[type, ...] = ()
    wrapper: str = ""
    steps: bool = False

    def distribute_strategy(self) -> Any:
        """Return how the framework spreads what runs here over devices, where it has such an object."""
        raise AttributeError("Models have `distribute_strategy` on the tensorflow backend only, as in Keras.")

    def leaf(self, value: Any, trainable: bool) -> Any:
        """Return an object of the framework that holds an array's memory, and gathers gradients where wanted.

        It is the array itself where that can be: whoever got it before has the same object.
        """
        raise NotImplementedError

    def note_lent(self, value: Any, make_leaf: Callable[[Any], None]) -> None:
        """Take notice of an array that somebody gets as the value of a variable.

        `make_leaf(value)`, a method of the variable, makes it the variable's leaf, where it is its value still.
        """

    def fill(self, leaf: Any, value: Any) -> None:
        """Put new values into such an object, which stays what it is."""
        raise NotImplementedError

    def train(self, leaf: Any, trainable: bool) -> None:
        """Say whether it gathers gradients."""
        raise NotImplementedError

    def can_track(self) -> bool:
        """Return whether what is computed now could be differentiated at all."""
        raise NotImplementedError

    def step_leaf(self, value: Any, before: Any) -> Any:
        """Return a leaf for the time of a step.

        Args:
            value: of the variable.
            before: its leaf until now, whose gradient goes on; None for none.
        """
        raise NotImplementedError

    def forget_gradient(self, leaf: Any) -> None:
        """Drop the gradient that has gathered."""
        raise NotImplementedError

    def changes(self, leaf: Any) -> int:
        """Return how often it was changed in place."""
        raise NotImplementedError

    def lacks_leaves(self, error: Exception) -> bool:
        """Return whether an error says that nothing was to be differentiated."""
        raise NotImplementedError

    def plainly(self, step: Callable[[], Any], why: str) -> Any:
        """Return what a step gives that keeps its own state in objects of the framework: it cannot be repeated.

        An optimizer of the framework that holds arrays of an attempt that was given up is refused.
        """
        raise NotImplementedError

    def watched(self, step: Callable[[], Any], refuse: Callable[[], None]) -> Any:
        """Return what a step gives; call `refuse` before an optimizer of the framework's own changes anything in it."""
        raise NotImplementedError

    def opened(self, part: Any) -> Any:
        """Return the list or dict that a container of the framework's layers is; anything else as it is."""
        raise NotImplementedError

    def held(self, module: Any) -> dict[str, Any]:
        """Return the arrays that a layer of the framework holds, by name."""
        raise NotImplementedError

    def kept(self, module: Any) -> set[str]:
        """Return the names of those that files hold."""
        raise NotImplementedError

    def packed(self, module: Any) -> bytes:
        """Return a layer of the framework as a pickle."""
        raise NotImplementedError

    def unpacked(self, data: bytes) -> Any:
        """Return the layer of a pickle, which may run any code: it is to be trusted."""
        raise NotImplementedError

    def within(self, module: Any) -> list[Any]:
        """Return the layers of ours that a layer of the framework holds."""
        raise NotImplementedError

    def trained(self, module: Any) -> set[str]:
        """Return the names of those that it trains."""
        raise NotImplementedError

    def call(
        self,
        module: Any,
        values: Mapping[str, Any] | None,
        training: bool | None,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """Call a layer of the framework.

        Args:
            module: the layer.
            values: what it is to hold during the call; None for what it holds.
            training: whether it trains; None for what it says itself.
            args: of the call.
            kwargs: of the call.

        Returns:
            Its outputs, and those of `values` that it changed, anew.
        """
        raise NotImplementedError
