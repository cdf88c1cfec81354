"""Cases of layers, one line each: `layer(make, inputs, ...)`, a family a file. Every public layer has one (`test_layers.py`)."""

from contract.layer_cases import (
    attention,
    convolution,
    core,
    image,
    merging,
    normalization,
    pooling,
    recurrent,
    regularization,
    reshaping,
)
from contract.layer_cases.case import OWN

LAYER_CASES = (
    *attention.CASES,
    *convolution.CASES,
    *core.CASES,
    *image.CASES,
    *merging.CASES,
    *normalization.CASES,
    *pooling.CASES,
    *recurrent.CASES,
    *regularization.CASES,
    *reshaping.CASES,
)

__all__ = ["LAYER_CASES", "OWN"]
