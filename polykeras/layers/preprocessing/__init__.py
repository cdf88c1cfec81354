"""Preprocessing layers."""

from polykeras.layers.preprocessing.discretization import Discretization
from polykeras.layers.preprocessing.encoding import CategoryEncoding
from polykeras.layers.preprocessing.hashing import HashedCrossing, Hashing
from polykeras.layers.preprocessing.lookups import IntegerLookup, StringLookup
from polykeras.layers.preprocessing.numeric import Normalization, Rescaling
from polykeras.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from polykeras.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "Normalization",
    "Rescaling",
    "STFTSpectrogram",
    "StringLookup",
    "TextVectorization",
]
