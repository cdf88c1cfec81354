"""Comparisons, logic and bits."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_right_shift",
    "greater",
    "greater_equal",
    "isclose",
    "isinf",
    "isneginf",
    "isposinf",
    "isreal",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "not_equal",
]

not_equal = bind(Backend.not_equal)
greater = bind(Backend.greater)
less_equal = bind(Backend.less_equal)
greater_equal = bind(Backend.greater_equal)
isclose = bind(Backend.isclose)
isinf = bind(Backend.isinf)
isposinf = bind(Backend.isposinf)
isneginf = bind(Backend.isneginf)
isreal = bind(Backend.isreal)
logical_and = bind(Backend.logical_and)
logical_or = bind(Backend.logical_or)
logical_xor = bind(Backend.logical_xor)
bitwise_invert = bind(Backend.bitwise_invert)
bitwise_not = bind(Backend.bitwise_not)
bitwise_left_shift = bind(Backend.bitwise_left_shift)
bitwise_right_shift = bind(Backend.bitwise_right_shift)
