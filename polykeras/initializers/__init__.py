"""Initializers, which make the initial values of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.common.types import InitializerLike
from polykeras.initializers.base import Initializer, registry
from polykeras.initializers.constant import STFT, Constant, Identity, Ones, Zeros
from polykeras.initializers.random import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from polykeras.initializers.variance import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    compute_fans,
)
from polykeras.saving.serialization import serialize_keras_object
from polykeras.variables.initial import named_initializer

# Keras's other names for the initializers.
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = IdentityInitializer = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = one = Ones
orthogonal = OrthogonalInitializer = Orthogonal
random_normal = normal = RandomNormal
random_uniform = uniform = RandomUniform
stft = STFTInitializer = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = zero = Zeros


@named_initializer.supply
def get(identifier: InitializerLike) -> Any:
    """Return an initializer.

    Args:
        identifier: a name such as `"glorot_uniform"`, a config, a class, an initializer, a function `(shape,
            dtype=None)`, an array (the values themselves), or None (which stays None).

    Raises:
        ValueError: the name is unknown, or the identifier has another type.
    """
    if hasattr(identifier, "shape") and hasattr(identifier, "dtype"):
        return Constant(identifier)
    return registry.get(identifier)


def serialize(initializer: Any) -> Any:
    """Return the config of an initializer."""
    return serialize_keras_object(initializer)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the initializer that a config describes.

    Args:
        config: the result of `serialize`, or a name.
        custom_objects: additional names that the config may use.
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zero",
    "zeros",
]
