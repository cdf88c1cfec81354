"""Methods of models that Keras 2 had and Keras 3 has not: `fit_generator`, `predict_classes`, ..."""

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
        generator: gives batches: a generator, a `Sequence` or a `PyDataset`.
        steps_per_epoch: as for `fit`.
        epochs: as for `fit`.
        verbose: as for `fit`.
        callbacks: as for `fit`.
        validation_data: as for `fit`.
        validation_steps: as for `fit`.
        validation_freq: as for `fit`.
        class_weight: as for `fit`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        shuffle: as for `fit`.
        initial_epoch: as for `fit`.
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
        generator: gives batches: a generator, a `Sequence` or a `PyDataset`.
        steps: as for `evaluate`.
        callbacks: as for `evaluate`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        verbose: as for `evaluate`.
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
        generator: gives batches: a generator, a `Sequence` or a `PyDataset`.
        steps: as for `predict`.
        callbacks: as for `predict`.
        max_queue_size: not used.
        workers: not used.
        use_multiprocessing: not used.
        verbose: as for `predict`.
    """
    _instead("predict_generator", "predict", 4)
    return model.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_classes(model: Model, x: ArrayLike, batch_size: int = 32, verbose: Any = 0) -> np.ndarray:
    """Return class numbers: the likeliest of several, or 1 where a single output exceeds 0.5.

    Args:
        model: a model of one output.
        x: as for `predict`.
        batch_size: as for `predict`.
        verbose: as for `predict`.

    Returns:
        `(samples,)` of outputs `(samples, classes)`; `(samples, 1)` of `(samples, 1)`.
    """
    _instead("predict_classes", "predict(x).argmax(-1)")
    found = model.predict(x, batch_size=batch_size, verbose=verbose)
    return found.argmax(-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")


def predict_proba(model: Model, x: ArrayLike, batch_size: int = 32, verbose: Any = 0) -> np.ndarray:
    """Return what `predict` does.

    Args:
        model: the model.
        x: as for `predict`.
        batch_size: as for `predict`.
        verbose: as for `predict`.
    """
    _instead("predict_proba", "predict")
    return model.predict(x, batch_size=batch_size, verbose=verbose)


def reset_states(model: Any) -> None:
    """Set the states of a model's stateful recurrent layers to those they begin with."""
    _instead("reset_states", "layer.reset_state()")
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False):
            layer.reset_state()
