"""Arguments of layers by the names of Keras 1 and 2."""

from __future__ import annotations

import warnings
from typing import Any

from polykeras.layers.base.legacy_names import LEGACY_NAMES
from polykeras.saving.configurable import init_parameters
from polykeras.saving.legacy.keras1 import RENAMED, value_today
from polykeras.saving.legacy.layout import Context, Origin

_TABLE = RENAMED | {
    "Highway": RENAMED["Dense"],
    "MaxoutDense": RENAMED["Dense"],
    **dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D"), RENAMED["Conv2D"]),
    "LeakyReLU": {"alpha": "negative_slope"},
    "Conv3D": RENAMED["Conv2D"],
    "SeparableConv1D": RENAMED["SeparableConv2D"],
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), RENAMED["Conv2D"]),
    **dict.fromkeys(("AveragePooling3D", "MaxPooling3D"), RENAMED["MaxPooling2D"]),
    **dict.fromkeys(("SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"), RENAMED["Dropout"]),
    **dict.fromkeys(("GlobalAveragePooling3D", "GlobalMaxPooling3D"), RENAMED["GlobalMaxPooling2D"]),
    **dict.fromkeys(("UpSampling3D", "ZeroPadding3D", "Cropping3D"), RENAMED["ZeroPadding2D"]),
}
"""Today's names of arguments by those of Keras 1, for each class."""
_ORIGIN = Origin("1", None)
_WITHOUT_MEANING = {"consume_less"}  # an implementation detail; Keras 3 accepts `implementation` too
_SIZES = ("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")


def translate(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments of a layer with today's names, with a DeprecationWarning that lists them.

    Args:
        cls: the layer's class, built-in or derived from a built-in one.
        arguments: the keyword arguments, some of which have legacy names. A name that the class itself takes is kept.
    """
    known = {parameter.name for parameter in init_parameters(cls)}
    names = next((_TABLE[base.__name__] for base in cls.__mro__ if base.__name__ in _TABLE), {})
    found: dict[str, Any] = {}
    said = []
    arguments = dict(arguments)
    for sizes in _SIZES:
        if "kernel_size" in known and all(size in arguments for size in sizes):
            found["kernel_size"] = tuple(arguments.pop(size) for size in sizes)
            said.append(f"{', '.join(sizes)}: kernel_size={found['kernel_size']}")
    channels_first = arguments.get("dim_ordering") == "th"
    for key, value in arguments.items():
        if key in known or key not in LEGACY_NAMES:
            found[key] = value
        elif key in _WITHOUT_MEANING:
            said.append(f"{key}: no longer needed")
        elif names.get(key, key) in known:
            found[names[key]] = value_today(names[key], value, Context(cls.__name__, _ORIGIN, key), channels_first)
            said.append(f"{key}: {names[key]}")
        else:
            found[key] = value  # the class raises for an unknown name
    if said:
        text = f"{cls.__name__}: arguments under names of Keras 1 or 2, with today's: {'; '.join(said)}."
        warnings.warn(text, DeprecationWarning, stacklevel=3)
    return found
