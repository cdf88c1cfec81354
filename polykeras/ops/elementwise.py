"""Elementwise operations that backends implement, and those next to them."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "abs",
    "add",
    "arctan2",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "cos",
    "divide",
    "equal",
    "erf",
    "erfinv",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "imag",
    "isfinite",
    "isnan",
    "left_shift",
    "less",
    "log",
    "log1p",
    "logaddexp",
    "logical_not",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "real",
    "reciprocal",
    "right_shift",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sqrt",
    "square",
    "subtract",
    "tanh",
]

abs = bind(Backend.abs)
negative = bind(Backend.negative)
floor = bind(Backend.floor)
round = bind(Backend.round)
exp = bind(Backend.exp)
expm1 = bind(Backend.expm1)
log = bind(Backend.log)
log1p = bind(Backend.log1p)
sqrt = bind(Backend.sqrt)
rsqrt = bind(Backend.rsqrt)
sin = bind(Backend.sin)
cos = bind(Backend.cos)
tanh = bind(Backend.tanh)
erf = bind(Backend.erf)
erfinv = bind(Backend.erfinv)
real = bind(Backend.real)
imag = bind(Backend.imag)
add = bind(Backend.add)
subtract = bind(Backend.subtract)
multiply = bind(Backend.multiply)
divide = bind(Backend.divide)
floor_divide = bind(Backend.floor_divide)
power = bind(Backend.power)
maximum = bind(Backend.maximum)
minimum = bind(Backend.minimum)
arctan2 = bind(Backend.arctan2)
equal = bind(Backend.equal)
less = bind(Backend.less)
bitwise_and = bind(Backend.bitwise_and)
bitwise_or = bind(Backend.bitwise_or)
bitwise_xor = bind(Backend.bitwise_xor)
left_shift = bind(Backend.left_shift)
right_shift = bind(Backend.right_shift)
square = bind(Backend.square)
reciprocal = bind(Backend.reciprocal)
sign = bind(Backend.sign)
logaddexp = bind(Backend.logaddexp)
isnan = bind(Backend.isnan)
isfinite = bind(Backend.isfinite)
logical_not = bind(Backend.logical_not)
