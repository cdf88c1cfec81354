"""Arguments of methods and callbacks of Keras 1 and 2, and their present counterparts."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable
from typing import Any

from polykeras.common import nested
from polykeras.common.arguments import positive_int

Arguments = dict[str, Any]
Change = str | None | Callable[[Any, Arguments, str], str]
"""Today's name; None if the argument is dropped; or a function of the object, the arguments and the legacy name. It
removes the legacy argument, does what it means, and returns a remark about it."""


def _period(callback: Any, arguments: Arguments, name: str) -> str:
    callback.period = positive_int(arguments.pop(name), name, callback)
    return "an attribute"


def _samples_of(data: str, steps: str) -> Change:
    """Return a change from a number of samples to a number of steps, by the size of a generator's first batch."""

    def change(model: Any, arguments: Arguments, name: str) -> str:
        samples = positive_int(arguments.pop(name), name)
        batches = arguments.get(data)
        if isinstance(batches, (tuple, list)):
            return "not needed for arrays"
        rows, arguments[data] = _first_rows(batches)
        arguments[steps] = -(-samples // rows)
        return f"{steps}={arguments[steps]}, since batches hold {rows}"

    return change


def _first_rows(batches: Any) -> tuple[int, Any]:
    """Return the number of samples in the first batch, and all batches."""
    if hasattr(batches, "__getitem__"):
        return _rows(batches[0]), batches
    rest = iter(batches)
    first = next(rest)
    return _rows(first), itertools.chain([first], rest)


def _rows(batch: Any) -> int:
    return len(nested.flatten(batch)[0])


def _must_be(*allowed: Any) -> Change:
    """Return a change for an argument that has no effect at some values, and is not supported at others."""

    def change(owner: Any, arguments: Arguments, name: str) -> str:
        value = arguments.pop(name)
        if not any(value is one or (isinstance(value, str) and value == one) for one in allowed):
            raise TypeError(
                f"{type(owner).__name__}: `{name}` is an argument of Keras 2 that accepts only "
                f"{' or '.join(map(repr, allowed))} here; received {value!r}."
            )
        return "no longer needed"

    return change


_FETCHING: dict[str, Change] = dict.fromkeys(
    ("workers", "use_multiprocessing", "max_queue_size", "nb_worker", "pickle_safe", "max_q_size")
)
"""Arguments about how batches are fetched, which is now up to `fit` or a `PyDataset`."""
_GENERATORS: dict[str, Change] = {
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "max_q_size": "max_queue_size",
}
ARGUMENTS: dict[str, dict[str, Change]] = {
    "compile": {
        "experimental_steps_per_execution": "steps_per_execution",
        "experimental_run_tf_function": None,
        "sample_weight_mode": None,  # weights for each time are recognized by their shape
        "target_tensors": _must_be(None),
        "distribute": _must_be(None),
    },
    "fit": {"nb_epoch": "epochs", **_FETCHING},
    "evaluate": _FETCHING,
    "predict": _FETCHING,
    "train_on_batch": {"reset_metrics": _must_be(True)},
    "test_on_batch": {"reset_metrics": _must_be(True)},
    "save_weights": {"save_format": _must_be(None, "h5", "hdf5", "keras"), "options": _must_be(None)},
    "fit_generator": {
        "samples_per_epoch": _samples_of("generator", "steps_per_epoch"),
        "nb_epoch": "epochs",
        "nb_val_samples": _samples_of("validation_data", "validation_steps"),
        **_GENERATORS,
    },
    "evaluate_generator": {"val_samples": _samples_of("generator", "steps"), **_GENERATORS},
    "predict_generator": {"val_samples": _samples_of("generator", "steps"), **_GENERATORS},
    "ModelCheckpoint": {"period": _period, "options": None},
    "ProgbarLogger": dict.fromkeys(("count_mode", "stateful_metrics")),
    "ReduceLROnPlateau": {"epsilon": "min_delta"},
    "TensorBoard": dict.fromkeys(("batch_size", "write_grads", "embeddings_layer_names", "embeddings_data")),
}
"""Changes of arguments, by method, or by class of callbacks."""


def translate(
    method: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: Arguments
) -> tuple[tuple[Any, ...], Arguments]:
    """Return the arguments of a call with today's names, with a DeprecationWarning that lists the changes.

    Args:
        method: a function or an `__init__` of polykeras.
        owner: its first argument, the object.
        args: the other positional arguments.
        kwargs: the keyword arguments. Unknown names are kept; the method refuses them.
    """
    title = method.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    changes = ARGUMENTS[title]
    legacy = [name for name in kwargs if name in changes]
    if not legacy:
        return args, kwargs
    # All arguments by name, since a change may need one that was passed by position.
    names = list(inspect.signature(method).parameters)[1:]
    if len(args) > len(names) or not kwargs.keys().isdisjoint(names[: len(args)]):
        return args, kwargs  # the method refuses these
    found = dict(zip(names, args, strict=False)) | kwargs
    said = [f"{name}: {_carry_out(changes[name], owner, found, name, title)}" for name in legacy]
    if type(owner).__name__ == title and hasattr(owner, "_given"):
        vars(owner)["_given"] = (), found  # the arguments of a callback for a resumed run
    text = f"{title}: arguments under names of Keras 1 or 2, with today's: {'; '.join(said)}."
    warnings.warn(text, DeprecationWarning, stacklevel=3)
    return (), found


def _carry_out(change: Change, owner: Any, found: Arguments, name: str, title: str) -> str:
    if callable(change):
        return change(owner, found, name)
    value = found.pop(name)
    if change is None:
        return "no longer needed"
    if change in found:
        raise TypeError(f"{title}: `{name}` is Keras 1's or 2's name of `{change}`; both are given.")
    found[change] = value
    return change
