"""TensorFlow's idiom: tapes and `tf.function`s of a user's that look at variables, and `tf.Variable`s in layers."""

from __future__ import annotations

import tensorflow as tf

from polykeras.backend.native import Native
from polykeras_tensorflow.native.adapter import VARIABLE_ADAPTER
from polykeras_tensorflow.native.location import LOCATION


class TensorflowNative(Native):
    """Hooks with TensorFlow's strategies."""

    def distribute_strategy(self) -> tf.distribute.Strategy:
        return tf.distribute.get_strategy()


NATIVE = TensorflowNative(location=LOCATION, variable_adapter=VARIABLE_ADAPTER)
"""What the backend knows of native code."""
