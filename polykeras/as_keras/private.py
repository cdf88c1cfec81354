"""Names of `keras.src` that are in no public module of Keras, and that published libraries import."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from polykeras import config
from polykeras.applications.building import fitting_shape
from polykeras.backend import registry
from polykeras.backend.handles import find_symbolic
from polykeras.backend.symbolic import SYMBOLIC
from polykeras.common.arguments import int_tuple
from polykeras.common.naming import reset_names as reset_uids
from polykeras.common.naming import to_snake_case, unique_name
from polykeras.graph import KerasTensor, Operation, infer_outputs, is_keras_tensor
from polykeras.layers.attention.parts import attention_equations
from polykeras.layers.base.context import get_mask as get_keras_mask
from polykeras.layers.base.context import set_mask as set_keras_mask
from polykeras.layers.convolution.base import BaseConv
from polykeras.layers.merging.merging import Merge
from polykeras.layers.pooling.pooling import _GlobalPool as BaseGlobalPooling
from polykeras.layers.pooling.pooling import _Pool as BasePooling
from polykeras.layers.recurrent.dropout_masks import DropoutRNNCell
from polykeras.optimizers import Optimizer as BaseOptimizer
from polykeras.saving.lambdas import is_code_refused
from polykeras.training.data.checks import weights_from_classes
from polykeras.utils.image import smart_resize
from polykeras.variables import Variable

Conv = BaseConv  # its name in `base_conv` of Keras 2
DropoutRNNCellMixin = DropoutRNNCell
KerasVariable = Variable

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class keras_export:  # a decorator, named as in Keras
    """Returns a function or class unchanged, since polykeras itself defines the names of Keras's API.

    Args:
        path: names in Keras's API.
        package: not used.
        parent: not used.
    """

    def __init__(self, path: str | Sequence[str], package: str = "keras", parent: Any = None) -> None:
        self.path = path

    def __call__(self, symbol: T) -> T:
        """Return the decorated object."""
        return symbol


def compute_output_spec(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the symbolic results of a function or a layer for symbolic tensors.

    Args:
        fn: a function of arrays, or a layer.
        *args: symbolic tensors, in the structure of its arguments.
        **kwargs: further arguments.
    """
    return infer_outputs(fn, args, kwargs)


def any_symbolic_tensors(args: Any = None, kwargs: Mapping[str, Any] | None = None) -> bool:
    """Return whether the arguments of a call contain symbolic tensors.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.
    """
    return find_symbolic((args or (), kwargs or {})) is not None


def auto_name(prefix: str) -> str:
    """Return a new name in snake case: `dense`, `dense_1`, ..."""
    return unique_name(to_snake_case(prefix))


def _build_attention_equation(rank: int, attn_axes: Sequence[int]) -> tuple[str, str, int]:
    """Return the `einsum` equations of attention for inputs of a given rank, and the rank of the scores."""
    scores, outputs = attention_equations(rank, attn_axes)
    return scores, outputs, rank - 1 + len(attn_axes)


def get_object_name(obj: Any) -> str:
    """Return the name of an object, a function or a class, or the name of its class in snake case."""
    return getattr(obj, "name", None) or to_snake_case(getattr(obj, "__name__", type(obj).__name__))


def no_automatic_dependency_tracking(fn: F) -> F:
    """Return a method that does not track layers and weights in attributes that it sets for the first time."""

    @functools.wraps(fn)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = set(vars(self))
        try:
            return fn(self, *args, **kwargs)
        finally:
            new = sorted(set(vars(self)) - before - {"_untracked"})
            object.__setattr__(self, "_untracked", (*self._untracked, *new))

    return method  # type: ignore[return-value]


def in_safe_mode() -> bool:
    """Return whether a config is being read whose code is refused, as in `load_model` without `safe_mode=False`."""
    return is_code_refused()


def in_symbolic_scope() -> bool:
    """Return whether operations run on shapes and dtypes alone, as within a `SymbolicScope`."""
    return registry.current() is SYMBOLIC


def in_tf_graph() -> bool:
    """Return whether TensorFlow is building a graph, as in `tf.data.Dataset.map`."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and not tensorflow.executing_eagerly()


def in_grain_data_pipeline() -> bool:
    """Return whether the caller is a transformation of `grain`."""
    if "grain" not in sys.modules:
        return False
    frame = sys._getframe(1)
    while frame is not None:
        if "/grain/" in frame.f_code.co_filename.replace("\\", "/"):
            return True
        frame = frame.f_back
    return False


def class_weight_to_sample_weights(y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """Return the weight of each sample by its class; 1 for a class without a weight.

    Args:
        y: class numbers `(n,)` or `(n, 1)`, or one-hot `(n, classes)`.
        class_weight: the weights.
    """
    return weights_from_classes(np.asarray(y), dict(class_weight))


def to_list(x: Any) -> list[Any]:
    """Return a list unchanged, and anything else as the only item of a list."""
    return x if isinstance(x, list) else [x]


def print_msg(message: Any, line_break: bool = True) -> None:
    """Print a message and flush the output.

    Args:
        message: the message, converted by `str`.
        line_break: whether to end the line.
    """
    print(message, end="\n" if line_break else "", flush=True)


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """Return `n` ints from one int or a sequence of `n`. They must be positive, or 0 if that is allowed.

    Args:
        value: an int, or a sequence of `n`.
        n: the number of ints.
        name: the name of the argument, for the message.
        allow_zero: whether 0 is allowed.

    Raises:
        ValueError: if it is something else.
    """
    return int_tuple(value, n, name, minimum=0 if allow_zero else 1)


def standardize_data_format(data_format: str | None) -> str:
    """Return the position of the channels; by default as set by `set_image_data_format`.

    Raises:
        ValueError: if the word is unknown.
    """
    found = str(data_format or config.image_data_format()).lower()
    if found not in ("channels_first", "channels_last"):
        raise ValueError(f"`data_format` must be 'channels_first' or 'channels_last'; received {data_format!r}.")
    return found


def canonicalize_axis(axis: int, num_dims: int) -> int:
    """Return an axis counted from the front.

    Args:
        axis: an axis; negative ones count from the end.
        num_dims: the number of axes.

    Raises:
        ValueError: if there is no such axis.
    """
    if not -num_dims <= axis < num_dims:
        raise ValueError(f"axis {axis} is not one of the {num_dims} axes of the array.")
    return axis % num_dims


def obtain_input_shape(
    input_shape: Sequence[int | None] | None,
    default_size: int,
    min_size: int,
    data_format: str,
    require_flatten: bool,
    weights: str | None = None,
) -> tuple[int | None, ...]:
    """Return the shape of the images that a model takes, without the batch.

    Args:
        input_shape: the user's shape, or None.
        default_size: the height and width of a model with a classifier if no shape is given.
        min_size: the least height and width.
        data_format: the position of the channels.
        require_flatten: whether there is a classifier, which needs a known size.
        weights: `"imagenet"` needs three channels and, with a classifier, the default size.

    Raises:
        ValueError: if the shape does not fit.
    """
    shape = None if input_shape is None else tuple(input_shape)
    fixed, published = require_flatten, weights == "imagenet"
    return fitting_shape(shape, default_size, min_size, fixed, published, data_format != "channels_first")


class LazyModule:
    """A framework that is imported when one of its names is first used.

    Args:
        name: the name of the module.
        pip_name: the name of its package, if it differs.
    """

    def __init__(self, name: str, pip_name: str | None = None) -> None:
        self._name, self._pip_name = name, pip_name or name

    @property
    def available(self) -> bool:
        """Whether the framework is installed."""
        return find_spec(self._name) is not None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python, and tools that inspect modules, ask for such names
            raise AttributeError(name)
        try:
            module = import_module(self._name)
        except ModuleNotFoundError as error:
            error.add_note(f"Install it with `pip install {self._pip_name}`.")
            raise
        return getattr(module, name)


tensorflow = LazyModule("tensorflow")
jax = LazyModule("jax")
torch = LazyModule("torch")

__all__ = [
    "BaseConv",
    "BaseGlobalPooling",
    "BaseOptimizer",
    "BasePooling",
    "Conv",
    "DropoutRNNCellMixin",
    "KerasTensor",
    "KerasVariable",
    "LazyModule",
    "Merge",
    "Operation",
    "Variable",
    "any_symbolic_tensors",
    "auto_name",
    "canonicalize_axis",
    "class_weight_to_sample_weights",
    "compute_output_spec",
    "get_keras_mask",
    "get_object_name",
    "in_grain_data_pipeline",
    "in_safe_mode",
    "in_symbolic_scope",
    "in_tf_graph",
    "is_keras_tensor",
    "jax",
    "keras_export",
    "no_automatic_dependency_tracking",
    "obtain_input_shape",
    "print_msg",
    "reset_uids",
    "set_keras_mask",
    "smart_resize",
    "standardize_data_format",
    "standardize_tuple",
    "tensorflow",
    "to_list",
    "to_snake_case",
    "torch",
]
