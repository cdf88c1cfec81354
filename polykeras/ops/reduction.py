"""Reductions and scans along axes."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

sum = bind(Backend.sum)
prod = bind(Backend.prod)
max = bind(Backend.max)
min = bind(Backend.min)
any = bind(Backend.any)
all = bind(Backend.all)
argmax = bind(Backend.argmax)
cumsum = bind(Backend.cumsum)
cumprod = bind(Backend.cumprod)
mean = bind(Backend.mean)
var = bind(Backend.var)
std = bind(Backend.std)
logsumexp = bind(Backend.logsumexp)
amax = bind(Backend.amax)
amin = bind(Backend.amin)
ptp = bind(Backend.ptp)
argmin = bind(Backend.argmin)
count_nonzero = bind(Backend.count_nonzero)
allclose = bind(Backend.allclose)
average = bind(Backend.average)
