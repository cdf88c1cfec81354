"""Layers, a family a file."""

from polykeras.layers.input_layer import Input, InputLayer
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer

__all__ = ["Input", "InputLayer", "InputSpec", "Layer"]
