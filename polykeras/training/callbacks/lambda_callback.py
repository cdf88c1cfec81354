"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.common.naming import did_you_mean
from polykeras.training.callbacks.base import HOOKS, Callback


class LambdaCallback(Callback):
    """Calls a function for each hook.

    Args:
        on_epoch_begin: takes the epoch and the logs.
        on_epoch_end: takes the epoch and the logs.
        on_train_begin: takes the logs.
        on_train_end: takes the logs.
        on_train_batch_begin: takes the step, and the logs by the name `logs`.
        on_train_batch_end: takes the step, and the logs by the name `logs`.
        **kwargs: any other hook of `Callback`, or an attribute of the callback.

    Raises:
        TypeError: a name begins with `on_` and is not a hook of `Callback`.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        for name in kwargs:
            if name.startswith("on_") and name not in HOOKS:
                raise TypeError(f"LambdaCallback: there is no hook {name!r}.{did_you_mean(name, HOOKS)}")
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        # Set on the instance, where `watches_batches` looks for hooks of single batches.
        vars(self).update({name: hook for name, hook in hooks.items() if hook is not None})
