"""Cases of layers, one line each: `layer(make, inputs, ...)`, a family a file. Every public layer has one (`test_layers.py`)."""

from contract.layer_cases import (
    applications,
    attention,
    convolution,
    core,
    image,
    merging,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    regularization,
    reshaping,
    wrappers,
)
from contract.layer_cases.case import OWN

LAYER_CASES = (
    *applications.CASES,
    *attention.CASES,
    *convolution.CASES,
    *core.CASES,
    *image.CASES,
    *merging.CASES,
    *normalization.CASES,
    *pooling.CASES,
    *preprocessing.CASES,
    *recurrent.CASES,
    *regularization.CASES,
    *reshaping.CASES,
    *wrappers.CASES,
)

__all__ = ["LAYER_CASES", "OWN"]
