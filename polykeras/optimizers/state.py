"""The state of an optimizer: its arguments, its learning rate and its variables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from polykeras import initializers, ops
from polykeras.backend.spec import Array
from polykeras.common import version_counter
from polykeras.common.naming import to_snake_case, unique_name
from polykeras.optimizers import arguments
from polykeras.optimizers.arguments import LearningRate
from polykeras.optimizers.schedules.base import LearningRateSchedule, scalar_dtype
from polykeras.optimizers.variables import OptimizerVariables
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import serialize_keras_object
from polykeras.variables import Variable


class OptimizerState(OptimizerVariables, Configurable):
    """The part of an `Optimizer` that does not compute; arguments as there."""

    def __init__(
        self,
        learning_rate: LearningRate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate = kwargs.pop("lr", learning_rate)
        self.decay = arguments.check_positive(self, "decay", kwargs.pop("decay", None) or 0.0)
        arguments.refuse_unknown(self, kwargs)
        arguments.check_clipping(self, clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = arguments.check_between(0, 1, self, "ema_momentum", ema_momentum)
        self.ema_overwrite_frequency = arguments.check_count(
            1, self, "ema_overwrite_frequency", ema_overwrite_frequency
        )
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = arguments.check_count(
            2, self, "gradient_accumulation_steps", gradient_accumulation_steps
        )
        super().__init__(name or unique_name(to_snake_case(type(self).__name__)))
        self._slots: list[list[Variable | None]] = []
        self._averages: list[Variable | None] = []
        self._accumulators: list[Variable | None] = []
        self._made_state: dict[str, Any] = {}  # what the arguments asked for when it was made
        self._not_decayed: dict[int, Variable] = {}
        self._not_decayed_names: re.Pattern[str] | None = None
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._learning_rate: Variable | LearningRateSchedule | Callable[[], Any]
        if callable(learning_rate):
            self._learning_rate = learning_rate
        else:
            number = initializers.Constant(arguments.learning_rate_number(self, learning_rate))
            self._learning_rate = self.add_variable((), number, scalar_dtype(), name="learning_rate")

    def slots(self) -> list[dict[str, float]]:
        """Return the state that an optimizer keeps for each variable: the names of its arrays and their first values.

        In `variables`, the arrays of one dict are adjacent for each variable; those of the next dict follow.
        """
        return []

    # ---- state -----------------------------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """The number of updates so far."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The current learning rate: a variable, or the value of the schedule.

        A number that is assigned to it is stored in the variable, even while a compiled training step is in use. A
        schedule or a function takes effect in training steps that are compiled afterwards.
        """
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        previous = self._learning_rate
        if callable(value):
            self._variables = [variable for variable in self._variables if variable is not previous]
            self._learning_rate = value
            version_counter.bump()
        elif isinstance(previous, Variable):
            previous.assign(arguments.learning_rate_number(self, value))
        else:
            raise TypeError(
                f"The learning rate of {self.name!r} follows {previous!r} and cannot be set to the number {value!r}. "
                "Set another schedule, or create the optimizer with a number."
            )

    lr = learning_rate

    # ---- variables ---------------------------------------------------------------------------------------------

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create the state for these variables. `apply` does so if this was not called.

        Args:
            var_list: the trainable variables of a model, which may be a framework's own (`tf.Variable`).

        Raises:
            TypeError: if an item is not a variable.
            ValueError: if it was built with other variables before.
        """
        variables = self._ours(var_list)
        if self.built:
            self._check_known(variables)
            return
        self._trainable_variables = variables
        self._places = {id(variable): i for i, variable in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        for group in self.slots():
            firsts = [initializers.Constant(first) for first in group.values()]
            self._slots += self.add_optimizer_variables(variables, list(group), firsts)
        self._made_state = self._asked_state()
        self.built = True

    def _resolve(self, grads: list[Array], variables: Iterable[Variable] | None) -> list[Variable]:
        """Return the variables that gradients belong to. The first that it is given it is built with."""
        if variables is None:
            if not self.built:
                raise ValueError(
                    f"Optimizer {self.name!r} has no variables yet: pass them to `apply`, or call `build(variables)` "
                    "first."
                )
            found = self._trainable_variables
        else:
            found = self._ours(variables)
            if self.built:
                self._check_known(found)
            else:
                self.build(found)
        self._check_state()
        if len(found) != len(grads):
            raise ValueError(f"Optimizer {self.name!r}: {len(grads)} gradients for {len(found)} variables.")
        return found

    def _asked_state(self) -> dict[str, Any]:
        """Return what the arguments say now of the state that there is to be."""
        return {
            "slots": [name for group in self.slots() for name in group],
            "use_ema": bool(self.use_ema),
            "gradient_accumulation_steps": bool(self.gradient_accumulation_steps),
        }

    def _check_state(self) -> None:
        """Raise if an argument that was set after the state was made asks for other state."""
        for part, asked in self._asked_state().items():
            if asked is not False and asked != self._made_state.get(part, asked):
                raise ValueError(
                    f"Optimizer {self.name!r}: an argument that was set after its state was made asks for other state. "
                    f"Expected {part}={self._made_state[part]!r}; received {asked!r}. Set it back, or make a new "
                    "optimizer and compile the model with it."
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy holds other variables, which it knows by identity."""
        super().__setstate__(state)
        self._not_decayed = {id(variable): variable for variable in self._not_decayed.values()}

    @classmethod
    @cache
    def _unwalked(cls) -> frozenset[str]:
        base = next(c for c in reversed(cls.__mro__) if issubclass(c, OptimizerState) and hasattr(c, "apply"))
        return frozenset(dir(base(0.0, name="names")))

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exclude variables from weight decay. Call this before the optimizer is built.

        Args:
            var_list: variables.
            var_names: regular expressions; a variable with a match in its name, such as `kernel`, is excluded.

        Raises:
            ValueError: if the optimizer is built already.
        """
        if self.built:
            raise ValueError(f"Optimizer {self.name!r} is already built: call `exclude_from_weight_decay` before.")
        self._not_decayed = {id(variable): variable for variable in self._ours(var_list or ())}
        self._not_decayed_names = re.compile("|".join(var_names)) if var_names else None

    def is_excluded_from_weight_decay(self, variable: Variable) -> bool:
        """Return whether `exclude_from_weight_decay` excluded a variable."""
        names = self._not_decayed_names
        return id(variable) in self._not_decayed or (names is not None and names.search(variable.name) is not None)

    def weight_decay_of(self, variable: Variable) -> float | None:
        """Return the weight decay of a variable, or None."""
        return None if self.is_excluded_from_weight_decay(variable) else self.weight_decay

    # ---- config ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data, with the current learning rate."""
        return super().get_config() | ({"decay": self.decay} if self.decay else {})

    def _argument(self, parameter: inspect.Parameter) -> Any:
        if parameter.name != "learning_rate":
            return super()._argument(parameter)
        if isinstance(self._learning_rate, Variable):
            return float(str(self._learning_rate.numpy()))  # 0.001, without the extra digits of float32
        return serialize_keras_object(self._learning_rate)
