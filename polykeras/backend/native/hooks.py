"""The hooks of a backend for native code, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polykeras.backend.native.adapter import VariableAdapter
from polykeras.backend.native.location import NativeLocation
from polykeras.backend.native.modules import NativeModules
from polykeras.backend.native.parameters import NativeParameters
from polykeras.backend.native.steps import NativeSteps


@dataclass(eq=False)
class Native:
    """What a backend knows of native code. All of it is optional, and a framework whose code sees arrays has none.

    Args:
        parameters: objects of the framework that hold the value of a variable and gather its gradients.
        modules: the framework's own class of layers.
        steps: how a user's `train_step` runs that uses such parameters.
        location: objects of the framework in which variables are stored that native code has used.
        variable_adapter: how the framework's own variables become parts of layers.
        steps_take_state: whether Keras's models on this framework have `train_step(state, data)`.
    """

    parameters: NativeParameters | None = None
    modules: NativeModules | None = None
    steps: NativeSteps | None = None
    location: NativeLocation | None = None
    variable_adapter: VariableAdapter | None = None
    steps_take_state: bool = False

    def distribute_strategy(self) -> Any:
        """Return the framework's object that says how devices share the work.

        Raises:
            AttributeError: the framework has none.
        """
        raise AttributeError("The framework of this backend has no `distribute_strategy`.")
