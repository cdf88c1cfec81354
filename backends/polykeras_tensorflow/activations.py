"""Activations on TensorFlow's kernels."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.activations import Activations
from polykeras.backend.spec import Array
from polykeras_tensorflow.elementwise import WIDE

raw = tf.raw_ops

_SOFTMAX_AXES = 4  # one less than oneDNN's kernel takes: `vectorized_map` adds one


class TensorflowActivations(Activations):
    """Activations whose kernels make a step faster than the composites do."""

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def relu(self, x: Array) -> Array:
        # With its gradient, the composite would take a third of the time of a convolution's step.
        return raw.Relu(features=x) if x.dtype.is_floating else super().relu(x)

    def softmax(self, x: Array, axis: int | Sequence[int] = -1) -> Array:
        # The composite and its gradient are six kernels more. oneDNN's kernel takes at most five axes, and would sum
        # half precision numbers in half precision.
        rank = x.shape.rank
        suits = x.dtype in WIDE and 0 < rank <= _SOFTMAX_AXES and x.shape[-1] != 0
        native = suits and isinstance(axis, int) and canonical_axis(axis, rank) == rank - 1
        return raw.Softmax(logits=x) if native else super().softmax(x, axis)
