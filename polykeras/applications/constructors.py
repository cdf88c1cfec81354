"""Functions that make models, with the arguments that Keras's have."""

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
        weights: None for random ones, `"imagenet"` for those that Keras publishes, or the path of a file of weights.
        input_tensor: a symbolic tensor to build on, instead of a new input.
        input_shape: of one image; unknown sizes only without the classifier.
        pooling: without the classifier, `"avg"` or `"max"` over the last features; None keeps them as they are.
        classes: how many classes the classifier tells apart.
        classifier_activation: of the classifier; None for logits.
        name: of the model.{more}

    Returns:
        A functional model.

    Raises:
        ValueError: if there is no such file, the input is too small, or the weights do not fit what is asked for.
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
        title: its name.
        default_name: of the models.
        source: the paper.
        body: as for `build`.
        *rest: as for `build`.
        **options: as for `build`.
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
    """Name and document a constructor.

    Args:
        make: the function.
        title: its name.
        source: the paper.
        module: in which it is.
        more: documentation of further arguments.
    """
    make.__name__ = make.__qualname__ = title
    make.__module__ = module
    text = f"Return a {title}, an image classifier.\n\n    Source: {source}.\n{ARGUMENTS.format(more=more)}"
    make.__doc__ = text.rstrip()
    return make
