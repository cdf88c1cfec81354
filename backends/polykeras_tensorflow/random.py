"""Random bits."""

from __future__ import annotations

import tensorflow as tf

from polykeras.backend.families.random import MULTIPLIERS, SHIFTS, Random
from polykeras.backend.spec import Array, Shape
from polykeras_tensorflow.graphs import constant

raw = tf.raw_ops


def _mixed(x: Array, shift: int) -> Array:
    return raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=constant(shift, tf.uint32)))


class TensorflowRandom(Random):
    """The contract's hash in unsigned words. Their right shift is logical, which saves a third of the passes."""

    def random_bits(self, key: Array, shape: Shape) -> Array:
        first, second = tf.unstack(raw.Bitcast(input=key, type=tf.uint32))
        m1, m2, m3 = (constant(m & 0xFFFFFFFF, tf.uint32) for m in MULTIPLIERS)
        s1, s2, s3, s4 = SHIFTS
        x = raw.Bitcast(input=self._element_numbers(shape), type=tf.uint32)
        x = raw.BitwiseXor(x=x, y=first)
        x = raw.AddV2(x=raw.Mul(x=_mixed(x, s1), y=m1), y=second)
        x = raw.Mul(x=_mixed(x, s2), y=m2)
        x = raw.Mul(x=_mixed(x, s3), y=m3)
        x = raw.Bitcast(input=_mixed(x, s4), type=tf.int32)
        return raw.Reshape(tensor=x, shape=tuple(shape))
