"""Dense, embedding, input and activation layers, and functions as layers."""

from polykeras.layers.core.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from polykeras.layers.core.dense import Dense
from polykeras.layers.core.einsum_dense import EinsumDense
from polykeras.layers.core.embedding import Embedding, Masking
from polykeras.layers.core.identity import Identity
from polykeras.layers.core.input_layer import Input, InputLayer
from polykeras.layers.core.lambda_layer import Lambda
from polykeras.layers.core.reversible_embedding import ReversibleEmbedding
from polykeras.layers.core.ternary_dense import TernaryDense

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "EinsumDense",
    "Embedding",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "LeakyReLU",
    "Masking",
    "PReLU",
    "ReLU",
    "ReversibleEmbedding",
    "Softmax",
    "TernaryDense",
]
