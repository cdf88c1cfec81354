"""Powers, exponentials and logarithms."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "cbrt",
    "exp2",
    "hypot",
    "i0",
    "ldexp",
    "log2",
    "log10",
    "logaddexp2",
]

exp2 = bind(Backend.exp2)
log2 = bind(Backend.log2)
log10 = bind(Backend.log10)
logaddexp2 = bind(Backend.logaddexp2)
ldexp = bind(Backend.ldexp)
cbrt = bind(Backend.cbrt)
hypot = bind(Backend.hypot)
i0 = bind(Backend.i0)
