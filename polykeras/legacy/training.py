"""Methods of models that Keras 2 had and Keras 3 lacks: `fit_generator`, `predict_classes`, ..."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.common.types import ArrayLike

if TYPE_CHECKING:
    from polykeras.models import Model


def _instead(legacy: str, today: str, stacklevel: int = 3) -> None:
    warnings.warn(
        f"`{legacy}` is a method of Keras 2; use `{today}` instead.", DeprecationWarning, stacklevel=stacklevel
    )


@takes_legacy_arguments
def fit_generator(
    model: Model,
    generator: Any,
    steps_per_epoch: int | None = None,
    epochs: int = 1,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: int | None = None,
    validation_freq: Any = 1,
    class_weight: Any = None,
    max_queue_size: int = 10,
    workers: int = 1,
    use_multiprocessing: bool = False,
    shuffle: bool = True,
    initial_epoch: int = 0,
) -> Any:
    """Train a model on batches, as `fit` does, and return the history.

    Args:
        model: the model.
        generator: the batches: a generator, a `Sequence` or a `PyDataset`.
        steps_per_epoch: see `Model.fit`.
        epochs: see `Model.fit`.
        verbose: see `Model.fit`.
        callbacks: see `Model.fit`.
        validation_data: see `Model.fit`.
        validation_steps: see `Model.fit`.
        validation_freq: see `Model.fit`.
        class_weight: see `Model.fit`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        shuffle: see `Model.fit`.
        initial_epoch: see `Model.fit`.
    """
    _instead("fit_generator", "fit", 4)
    return model.fit(
        generator,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=validation_steps,
        validation_freq=validation_freq,
        class_weight=class_weight,
        shuffle=shuffle,
        initial_epoch=initial_epoch,
    )


@takes_legacy_arguments
def evaluate_generator(
    model: Model,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    max_queue_size: int = 10,
    workers: int = 1,
    use_multiprocessing: bool = False,
    verbose: Any = 0,
) -> Any:
    """Return losses and metrics on batches, as `evaluate` does.

    Args:
        model: the model.
        generator: the batches: a generator, a `Sequence` or a `PyDataset`.
        steps: see `Model.evaluate`.
        callbacks: see `Model.evaluate`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        verbose: see `Model.evaluate`.
    """
    _instead("evaluate_generator", "evaluate", 4)
    return model.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)


@takes_legacy_arguments
def predict_generator(
    model: Model,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    max_queue_size: int = 10,
    workers: int = 1,
    use_multiprocessing: bool = False,
    verbose: Any = 0,
) -> Any:
    """Return predictions for batches, as `predict` does.

    Args:
        model: the model.
        generator: the batches: a generator, a `Sequence` or a `PyDataset`.
        steps: see `Model.predict`.
        callbacks: see `Model.predict`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        verbose: see `Model.predict`.
    """
    _instead("predict_generator", "predict", 4)
    return model.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_classes(model: Model, x: ArrayLike, batch_size: int = 32, verbose: Any = 0) -> np.ndarray:
    """Return class numbers: the most probable of several classes, or 1 if a single output exceeds 0.5.

    Args:
        model: a model of one output.
        x: see `Model.predict`.
        batch_size: see `Model.predict`.
        verbose: see `Model.predict`.

    Returns:
        `(samples,)` for outputs `(samples, classes)`, and `(samples, 1)` for outputs `(samples, 1)`.
    """
    _instead("predict_classes", "predict(x).argmax(-1)")
    found = model.predict(x, batch_size=batch_size, verbose=verbose)
    return found.argmax(-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")


def predict_proba(model: Model, x: ArrayLike, batch_size: int = 32, verbose: Any = 0) -> np.ndarray:
    """Return predictions; the same as `predict`.

    Args:
        model: the model.
        x: see `Model.predict`.
        batch_size: see `Model.predict`.
        verbose: see `Model.predict`.
    """
    _instead("predict_proba", "predict")
    return model.predict(x, batch_size=batch_size, verbose=verbose)


def reset_states(model: Any) -> None:
    """Reset the states of a model's stateful recurrent layers to their initial values."""
    _instead("reset_states", "layer.reset_state()")
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False):
            layer.reset_state()
