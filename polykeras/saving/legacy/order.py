"""The order of a layer's or model's weights in files of Keras 1 and 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.saving.legacy.classes import is_model

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer
    from polykeras.variables import Variable


def owners(layer: Any) -> list[Layer]:
    """Return the layers with weights of their own within a layer, including itself, in Keras's order, each once."""
    found: dict[int, Layer] = {}

    def visit(current: Any) -> None:
        if id(current) in found:
            return
        found[id(current)] = current
        for inner in current.layers if is_model(current) else current._held_layers():
            visit(inner)

    visit(layer)
    return [one for one in found.values() if one._own_variables()]


def trained(owner: Layer) -> list[Variable]:
    """Return the layer's own weights that an optimizer changes unless they are frozen, one by one or with the layer.

    A file does not say which single weights are frozen: whoever reads it has them in the order of a fresh layer.
    """
    return [variable for variable in _own(owner) if variable.made_trainable]


def not_trained(owner: Layer) -> list[Variable]:
    """Return the other weights of the layer's own."""
    first = set(map(id, trained(owner)))
    return [variable for variable in _own(owner) if id(variable) not in first]


def _own(owner: Layer) -> list[Variable]:
    """Return the layer's own weights without those of a layer in it, which may be attributes of both."""
    within = {id(v) for inner in owner._flatten_layers(include_self=False) for v in inner._own_variables()}
    return [variable for variable in owner._own_variables() if id(variable) not in within]


def weights_in_order(layer: Any) -> list[Variable]:
    """Return all weights within a layer in the order of files: first those that an optimizer changes, then others."""
    found = owners(layer)
    first = [variable for owner in found if owner.trainable for variable in trained(owner)]
    rest = [
        variable for owner in found for variable in ([] if owner.trainable else trained(owner)) + not_trained(owner)
    ]
    return [*first, *rest]


def trained_in_order(model: Any) -> list[Variable]:
    """Return the weights that an optimizer changes, in Keras's order."""
    return [v for owner in owners(model) if owner.trainable for v in trained(owner) if v.trainable]
