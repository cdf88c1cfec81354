"""Keras-style models, written once and run on TensorFlow, PyTorch, JAX or NumPy with the same numbers.

`import polykeras as keras` runs Keras code. The backend is chosen by `polykeras.use_backend(...)`, by the environment
variable `POLYKERAS_BACKEND`, or by the config file; importing this package imports no framework.
"""

from typing import TYPE_CHECKING

from polykeras import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from polykeras.autodiff import function, grad, value_and_grad
from polykeras.backend import backends, set_backend, set_matmul_precision, use_backend
from polykeras.common.lazy import lazy_names
from polykeras.common.release import __version__
from polykeras.dtype_policies import DTypePolicy, FloatDTypePolicy
from polykeras.graph import KerasTensor, Operation
from polykeras.initializers import Initializer
from polykeras.layers import Input, InputSpec, Layer
from polykeras.layers.base.layer import LAYERS
from polykeras.losses import Loss
from polykeras.metrics import Metric
from polykeras.models import Functional, Model, Sequential
from polykeras.ops import custom_gradient, device, remat, stop_gradient
from polykeras.optimizers import Optimizer
from polykeras.regularizers import Regularizer
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras import applications as applications
    from polykeras import datasets as datasets
    from polykeras import debug as debug
    from polykeras import distillation as distillation
    from polykeras import distribution as distribution
    from polykeras import export as export
    from polykeras import legacy as legacy
    from polykeras import preprocessing as preprocessing
    from polykeras import quantizers as quantizers
    from polykeras import visualization as visualization
    from polykeras import wrappers as wrappers
    from polykeras.quantizers import Quantizer as Quantizer
    from polykeras.scopes import Function as Function
    from polykeras.scopes import RematScope as RematScope
    from polykeras.scopes import StatelessScope as StatelessScope
    from polykeras.scopes import SymbolicScope as SymbolicScope
    from polykeras.scopes import name_scope as name_scope

_SUBMODULES = (
    *("applications", "datasets", "debug", "distillation", "distribution", "export", "legacy", "preprocessing"),
    *("quantizers", "visualization", "wrappers"),
)
LATER: dict[str, str] = {name: f"polykeras.{name}" for name in _SUBMODULES}
LATER |= {"Quantizer": "polykeras.quantizers"}
LATER |= dict.fromkeys(("Function", "RematScope", "StatelessScope", "SymbolicScope", "name_scope"), "polykeras.scopes")
"""What few programs need: it is loaded when it is first named. The module of each name."""
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, LATER)
LAYERS.register_later(
    {
        **dict.fromkeys(("FeatureDistillation", "LogitsDistillation"), "polykeras.distillation.losses"),
        "Distiller": "polykeras.distillation.distiller",
        "CustomScaleLayer": "polykeras.applications.inception_resnet_v2",
        "LayerScale": "polykeras.applications.convnext",
    }
)


def version() -> str:
    """Return the version of this package."""
    return __version__


__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "Function",
    "Functional",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Quantizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Variable",
    "activations",
    "applications",
    "backend",
    "backends",
    "callbacks",
    "config",
    "constraints",
    "custom_gradient",
    "datasets",
    "debug",
    "device",
    "distillation",
    "distribution",
    "dtype_policies",
    "export",
    "function",
    "grad",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "remat",
    "saving",
    "set_backend",
    "set_matmul_precision",
    "stop_gradient",
    "tree",
    "use_backend",
    "utils",
    "value_and_grad",
    "version",
    "visualization",
    "wrappers",
]
