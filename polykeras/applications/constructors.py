"""Functions that make models, with the same arguments as Keras's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

from polykeras.applications.building import Asked, Body, build
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

ARGUMENTS = """
    Args:
        include_top: whether the model ends in its classifier.
        weights: None for random weights, `"imagenet"` for those that Keras publishes, or the path of a file of weights.
        input_tensor: a symbolic tensor to build on, in place of a new input.
        input_shape: the shape of one image; sizes may be unknown only without the classifier.
        pooling: without the classifier, `"avg"` or `"max"` over the last features; None does not pool them.
        classes: the number of classes of the classifier.
        classifier_activation: the activation of the classifier; None for logits.
        name: the name of the model.{more}

    Returns:
        A functional model.

    Raises:
        ValueError: if there is no such file, the input is too small, or the weights do not fit the model.
    """


class _Constructor(Protocol):
    """A function that makes models of one kind; see `ARGUMENTS`."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = ...,
    ) -> Functional:
        """Return a model."""
        ...


def constructor(title: str, default_name: str, source: str, body: Body, *rest: Any, **options: Any) -> _Constructor:
    """Return a constructor with the arguments that most families share.

    Args:
        title: the name of the constructor.
        default_name: the default name of the models.
        source: the paper.
        body: see `build`.
        *rest: see `build`.
        **options: see `build`.
    """

    def make(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = default_name,
    ) -> Functional:
        asked = Asked(
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            name=name,
        )
        return build(asked, body, *rest, **options)

    return titled(make, title, source, body.__module__)


def titled(make: Any, title: str, source: str, module: str, more: str = "") -> Any:
    """Set the name and the docstring of a constructor.

    Args:
        make: the function.
        title: its name.
        source: the paper.
        module: its module.
        more: the documentation of further arguments.
    """
    make.__name__ = make.__qualname__ = title
    make.__module__ = module
    text = f"Return a {title}, an image classifier.\n\n    Source: {source}.\n{ARGUMENTS.format(more=more)}"
    make.__doc__ = text.rstrip()
    return make
