"""Layers drawn at random, with their inputs: kinds, configs, shapes, dtypes, masks, numbers that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from contract.table import A
from helpers.layer_runner import LayerCase
from helpers.runner import latest
from polykeras import layers

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Spec:
    """The class and the arguments of a layer; layers within are specs too."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def make(self, library: Any = layers, **more: Any) -> Any:
        """Return the layer of a library: of ours, or of Keras."""
        given = {key: v.make(library) if isinstance(v, Spec) else v for key, v in self.arguments.items()}
        return getattr(library, self.name)(**given, **more)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.arguments.items())})"


@dataclass(frozen=True)
class Drawn:
    """One call of a drawn layer.

    Attributes:
        spec: the layer.
        inputs: an array, a list of arrays (one argument), or a tuple of them (several arguments).
        kwargs: of the call.
        seed: of the numbers.
    """

    spec: Spec
    inputs: Any
    kwargs: dict[str, Any]
    seed: int

    def __repr__(self) -> str:
        return f"{self.spec!r}({_shown(self.inputs)}, {_shown(self.kwargs)}) seed {self.seed}"

    def case(self, **more: Any) -> LayerCase:
        """Return it as a case of our layers; `more` are further arguments of the layer, which change no weights."""
        latest.clear()  # what is kept there is kept by the name of a case
        return LayerCase(lambda: self.spec.make(**more), self.inputs, self.kwargs, id=repr(self))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_shown(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(_shown, value))})"
    return repr(value)


def each(*values: Any) -> st.SearchStrategy[Any]:
    """Return one of some values."""
    return st.sampled_from(values)


SIZE = each(1, 2, 3, 5)
ROWS = each(2, 1, 3, 0)
AXIS = each(3, 1, 2, 4, 0)
"""Sizes of axes that may be empty."""


class Numbers:
    """Arrays of numbers from one seed, some of them with a nan or an infinity."""

    def __init__(self, seed: int, odd: float | None = None) -> None:
        self.rng, self.odd = np.random.default_rng(seed), odd

    def floats(self, *shape: int) -> np.ndarray:
        """Return working floats."""
        x = A(self.rng.standard_normal(shape))
        if self.odd is not None and x.size:
            x.reshape(-1)[self.rng.integers(x.size)] = self.odd
        return x

    def integers(self, stop: int, *shape: int) -> np.ndarray:
        """Return int32 numbers below `stop`."""
        return self.rng.integers(0, stop, shape).astype("int32")

    def mask(self, draw: Draw, *shape: int) -> np.ndarray:
        """Return a mask: of random holes, with one row of which all is masked, or nothing but masked steps."""
        mask = self.rng.random(shape) < 0.6
        kind = draw(each("holes", "a row", "all", "none"))
        if kind == "a row" and len(mask):
            mask[0] = False
        return mask if kind in ("holes", "a row") else np.full(shape, kind == "none")


# ---- windows ---------------------------------------------------------------------------------------------------------


def _space(draw: Draw, rank: int, sizes: st.SearchStrategy[int] = SIZE) -> tuple[int, ...]:
    return tuple(draw(sizes) for _ in range(rank))


def _image(draw: Draw, n: Numbers, rank: int, channels: int, first: bool) -> np.ndarray:
    space = _space(draw, rank)
    return n.floats(draw(ROWS), *((channels, *space) if first else (*space, channels)))


def _order(first: bool) -> dict[str, str]:
    return {"data_format": "channels_first"} if first else {}


def convolutions(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a convolution: any rank, strides larger than the input, dilation with stride, groups."""
    kind, rank = draw(each("Conv", "DepthwiseConv", "SeparableConv", "Transpose")), draw(each(1, 2, 3))
    rank = min(rank, 2) if kind in ("DepthwiseConv", "SeparableConv") else rank
    first, groups = draw(st.booleans()), draw(each(1, 2)) if kind == "Conv" else 1
    one = kind in ("DepthwiseConv", "SeparableConv")  # frameworks know one stride of both axes
    stride = draw(each(1, 2, 3, 7))
    strides = stride if one else tuple(draw(each(stride, 1, 2)) for _ in range(rank))
    dilation = draw(each(1, 1, 2, 3))
    paddings = ("valid", "same", "causal") if rank == 1 and kind in ("Conv", "SeparableConv") else ("valid", "same")
    given = {
        "kernel_size": _space(draw, rank, each(1, 2, 3, 4)),
        "strides": strides,
        "padding": draw(each(*paddings)),
        "dilation_rate": dilation,
        "activation": draw(each(None, "relu")),
        "use_bias": draw(st.booleans()),
        **_order(first),
    }
    if kind != "DepthwiseConv":
        given["filters"] = 2 * draw(each(1, 2))
    if kind == "Conv":
        given["groups"] = groups
    if kind in ("DepthwiseConv", "SeparableConv"):
        given["depth_multiplier"] = draw(each(1, 2))
    name = f"Conv{rank}DTranspose" if kind == "Transpose" else f"{kind}{rank}D"
    return Spec(name, given), _image(draw, n, rank, 2, first), {}


def pools(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a pool: windows and strides larger than the input among them."""
    rank, first, kind = draw(each(1, 2, 3)), draw(st.booleans()), draw(each("Max", "Average"))
    x = _image(draw, n, rank, 2, first)
    how = draw(each("", "", "Global", "Adaptive"))
    if how == "Global":
        return Spec(f"Global{kind}Pooling{rank}D", {"keepdims": draw(st.booleans()), **_order(first)}), x, {}
    if how == "Adaptive":
        return Spec(f"Adaptive{kind}Pooling{rank}D", {"output_size": _space(draw, rank), **_order(first)}), x, {}
    given = {
        "pool_size": _space(draw, rank, each(1, 2, 3, 6)),
        "strides": draw(each(None, 1, 2, 9)),
        "padding": draw(each("valid", "same")),
        **_order(first),
    }
    return Spec(f"{kind}Pooling{rank}D", given), x, {}


def sizes(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw padding, cropping or upsampling."""
    rank, kind = draw(each(1, 2, 3)), draw(each("ZeroPadding", "Cropping", "UpSampling"))
    first = rank > 1 and draw(st.booleans())
    x = _image(draw, n, rank, 2, first)
    order = {} if rank == 1 and kind != "ZeroPadding" else _order(first)
    if kind == "UpSampling":
        size = _space(draw, rank, each(1, 2, 3))
        how = {"interpolation": draw(each("nearest", "bilinear"))} if rank == 2 else {}
        return Spec(f"UpSampling{rank}D", {"size": size[0] if rank == 1 else size, **order, **how}), x, {}
    pairs = tuple((draw(each(0, 1, 2)), draw(each(0, 1, 3))) for _ in range(rank))
    key = "padding" if kind == "ZeroPadding" else "cropping"
    return Spec(f"{kind}{rank}D", {key: pairs[0] if rank == 1 else pairs, **order}), x, {}


# ---- along time ------------------------------------------------------------------------------------------------------


def recurrents(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a recurrent layer, with masks of which whole rows or all steps are masked."""
    name = draw(each("SimpleRNN", "LSTM", "GRU", "ConvLSTM1D"))
    given: dict[str, Any] = {
        key: draw(each(False, False, True)) for key in ("return_sequences", "return_state", "go_backwards")
    }
    rows, steps = draw(ROWS), draw(SIZE)
    if name == "ConvLSTM1D":
        spec = Spec(
            name, {"filters": 2, "kernel_size": draw(each(1, 2)), "padding": draw(each("valid", "same")), **given}
        )
        x = n.floats(rows, steps, draw(each(2, 3)), 2)
    else:
        given |= {"zero_output_for_mask": draw(each(False, True)), "unroll": draw(each(False, False, True))}
        given |= {"reset_after": draw(st.booleans())} if name == "GRU" else {}
        spec = Spec(name, {"units": draw(each(2, 1)), **given})
        x = n.floats(rows, steps, 2)
        if draw(each(False, False, True)):
            mode = draw(each("concat", "sum", "ave", "mul", None))
            spec = Spec("Bidirectional", {"layer": spec, "merge_mode": mode})
    return spec, x, draw(each({}, {"mask": n.mask(draw, rows, steps)}))


def attentions(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw an attention: no queries, no keys, one of each; masks that leave a query nothing to look at."""
    rows, queries, keys = draw(ROWS), draw(AXIS), draw(each(3, 1, 2))
    masks = draw(st.booleans())
    causal = {"use_causal_mask": True} if draw(each(False, False, True)) else {}
    name = draw(each("MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"))
    q, v = n.floats(rows, queries, 4), n.floats(rows, keys, 4)
    if name in ("Attention", "AdditiveAttention"):
        given: dict[str, Any] = {"use_scale": draw(st.booleans())}
        given |= {"score_mode": draw(each("dot", "concat"))} if name == "Attention" else {}
        mask = {"mask": [n.mask(draw, rows, queries), n.mask(draw, rows, keys)]} if masks else {}
        return Spec(name, given), [q, v], mask | causal
    if name == "MultiHeadAttention":
        given = {"num_heads": 2, "key_dim": draw(each(1, 3)), "value_dim": draw(each(None, 2))}
    else:
        given = {"head_dim": draw(each(2, 3)), "num_query_heads": 2, "num_key_value_heads": draw(each(1, 2))}
    kinds = {"value_mask": (rows, keys), "attention_mask": (rows, queries, keys), "query_mask": (rows, queries)}
    kind = draw(each(*kinds))
    return Spec(name, given), (q, v), ({kind: n.mask(draw, *kinds[kind])} if masks else {}) | causal


# ---- one by one ------------------------------------------------------------------------------------------------------


def normalizations(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a normalization, of axes of size one or none."""
    name = draw(each("LayerNormalization", "RMSNormalization", "UnitNormalization", "BatchNormalization", "Group"))
    rank = draw(each(1, 2, 3))
    x = n.floats(draw(ROWS), *_space(draw, rank, AXIS if name != "Group" else SIZE))
    if name == "Group":
        x = np.repeat(x, 2, -1)
        return Spec("GroupNormalization", {"groups": draw(each(-1, 1, 2))}), x, {}
    axis = draw(each(-1, rank, 1))
    if name == "BatchNormalization":
        training = draw(st.booleans())
        masked = {"mask": n.mask(draw, *x.shape[:2])} if rank == 2 and draw(st.booleans()) else {}
        given = {"axis": axis, "center": draw(st.booleans()), "scale": draw(st.booleans())}
        return Spec(name, given), x, {"training": training, **masked}
    return Spec(name, {"axis": -1 if name == "RMSNormalization" else axis}), x, {}


def cores(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a layer of the core, or one that changes shapes."""
    rank = draw(each(1, 2, 3))
    x = n.floats(draw(ROWS), *_space(draw, rank, AXIS))
    name = draw(
        each("Dense", "Flatten", "Permute", "Reshape", "RepeatVector", "Embedding", "EinsumDense", "TimeDistributed")
    )
    if name == "Dense":
        return Spec(name, {"units": draw(each(1, 3)), "activation": draw(each(None, "tanh", "softmax"))}), x, {}
    if name == "Permute":
        return Spec(name, {"dims": tuple(draw(st.permutations(range(1, rank + 1))))}), x, {}
    if name == "Reshape":
        return Spec(name, {"target_shape": draw(each((-1,), (1, -1), (-1, 2), (*x.shape[1:], 1)))}), x, {}
    if name == "RepeatVector":
        return Spec(name, {"n": draw(each(1, 3))}), n.floats(len(x), draw(AXIS)), {}
    if name == "Embedding":
        ids = n.integers(5, *x.shape)
        return Spec(name, {"input_dim": 5, "output_dim": 2, "mask_zero": draw(st.booleans())}), ids, {}
    if name == "EinsumDense":
        return Spec(name, {"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y"}), x, {}
    if name == "TimeDistributed":
        steps = n.floats(len(x), draw(SIZE), draw(AXIS))
        mask = draw(each({}, {"mask": n.mask(draw, *steps.shape[:2])}))
        return Spec(name, {"layer": Spec("Dense", {"units": 2})}), steps, mask
    return Spec("Flatten"), x, {}


def merges(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a merging layer, whose inputs broadcast."""
    rows, name = (
        draw(ROWS),
        draw(each("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate", "Dot")),
    )
    space = _space(draw, draw(each(1, 2)), AXIS)
    if name == "Dot":
        shape = (rows, *_space(draw, 2, AXIS))
        axes = draw(each(1, 2))
        return Spec(name, {"axes": axes, "normalize": draw(st.booleans())}), [n.floats(*shape), n.floats(*shape)], {}
    if name == "Concatenate":
        axis = draw(each(-1, 1))
        others = [[rows, *space] for _ in range(2)]
        others[1][axis] = draw(AXIS)
        return Spec(name, {"axis": axis}), [n.floats(*shape) for shape in others], {}
    ones = tuple(draw(each(size, 1)) for size in space)
    return Spec(name), [n.floats(rows, *space), n.floats(rows, *ones)], {}


def activations(draw: Draw, n: Numbers) -> tuple[Spec, Any, dict[str, Any]]:
    """Draw a layer of elementwise arithmetic, or one that does nothing outside of training."""
    x = 4 * n.floats(draw(ROWS), *_space(draw, draw(each(1, 2)), AXIS))
    names = ("relu", "elu", "selu", "gelu", "softplus", "softsign", "hard_silu", "mish", "celu", "sparsemax", "glu")
    specs = [
        Spec("Activation", {"activation": draw(each(*names))}),
        Spec("ReLU", {"max_value": draw(each(None, 2.0)), "negative_slope": draw(each(0.0, 0.5))}),
        Spec("LeakyReLU", {"negative_slope": 0.2}),
        Spec("ELU", {"alpha": draw(each(1.0, 0.5))}),
        Spec("PReLU", {"shared_axes": draw(each(None, [1]))}),
        Spec("Softmax", {"axis": draw(each(-1, 1))}),
        Spec("Dropout", {"rate": draw(each(0.0, 0.5))}),
        Spec("Rescaling", {"scale": draw(each(0.5, 0.0)), "offset": 1.0}),
        Spec("Normalization", {"mean": 1.0, "variance": draw(each(2.0, 0.0))}),
        Spec("Masking", {"mask_value": 0.0}),
        Spec("Discretization", {"bin_boundaries": draw(each([0.0], [-1.0, 0.5, 2.0]))}),
    ]
    spec = draw(each(*specs))
    masked = spec.name == "Softmax" and draw(st.booleans())
    return spec, x, {"mask": n.mask(draw, *x.shape)} if masked else {}


FAMILIES = {
    family.__name__: family
    for family in (convolutions, pools, sizes, recurrents, attentions, normalizations, cores, merges, activations)
}


@st.composite
def drawn_layers(draw: Draw, family: str, odd: bool = False) -> Drawn:
    """Draw a layer of a family, and inputs.

    Args:
        draw: given by hypothesis.
        family: a key of `FAMILIES`.
        odd: whether one of the numbers of each input is nan or infinite.
    """
    seed = draw(st.integers(0, 99))
    bad = draw(each(np.nan, np.inf, -np.inf)) if odd else None
    spec, inputs, kwargs = FAMILIES[family](draw, Numbers(seed, bad))
    return Drawn(spec, inputs, kwargs, seed)
