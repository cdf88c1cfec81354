"""Layers that prepare data."""

from polykeras.layers.preprocessing.encoding import CategoryEncoding
from polykeras.layers.preprocessing.lookups import IntegerLookup, StringLookup
from polykeras.layers.preprocessing.numeric import Normalization, Rescaling
from polykeras.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "IntegerLookup",
    "Normalization",
    "Rescaling",
    "StringLookup",
    "TextVectorization",
]
