"""Arrays made from numbers: ranges, masks, windows and diagonals."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "array",
    "bartlett",
    "blackman",
    "diag",
    "diagflat",
    "diagonal",
    "empty",
    "empty_like",
    "eye",
    "full_like",
    "geomspace",
    "hamming",
    "hanning",
    "identity",
    "kaiser",
    "linspace",
    "logspace",
    "meshgrid",
    "tri",
    "tril",
    "triu",
    "vander",
]

array = bind(Backend.array)
empty = bind(Backend.empty)
empty_like = bind(Backend.empty_like)
full_like = bind(Backend.full_like)
eye = bind(Backend.eye)
identity = bind(Backend.identity)
tri = bind(Backend.tri)
tril = bind(Backend.tril)
triu = bind(Backend.triu)
diagonal = bind(Backend.diagonal)
diag = bind(Backend.diag)
diagflat = bind(Backend.diagflat)
vander = bind(Backend.vander)
meshgrid = bind(Backend.meshgrid)
linspace = bind(Backend.linspace)
logspace = bind(Backend.logspace)
geomspace = bind(Backend.geomspace)
bartlett = bind(Backend.bartlett)
hanning = bind(Backend.hanning)
hamming = bind(Backend.hamming)
blackman = bind(Backend.blackman)
kaiser = bind(Backend.kaiser)
