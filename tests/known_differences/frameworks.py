"""Where a backend differs from the reference, and why. Strict: an entry whose difference has vanished fails the run."""

from __future__ import annotations

from dataclasses import dataclass

from polykeras import fast


@dataclass(frozen=True)
class Difference:
    """One difference that stays.

    Attributes:
        backend: its name.
        case: the id of a case of `contract/cases` or of `recorded`, or `op:dtype` of the dtype tests.
        kind: "value", "gradient", "second", "dtype", "error" or "in a loop", where XLA compiles it on TensorFlow.
        what: what it gives instead.
        reason: why it stays.
        issue: the upstream issue, where there is one.
        kernel: whether it is that of a kernel in place of a composite, which `POLYKERAS_FAST=0` takes away.
    """

    backend: str
    case: str
    kind: str
    what: str
    reason: str
    issue: str = ""
    kernel: bool = False


SQUARED = "JAX's rule for the slope of x / y squares y, which overflows beyond 1.8e19 and vanishes below 1e-19"
ADDED = "the kernel adds a large negative number to masked scores, where the composite puts it in their place"
SAFE = "the kernel gives a target 0 if all its scores are -inf"

KNOWN: tuple[Difference, ...] = (
    *(
        Difference(
            "torch",
            f"dot_product_attention-{note}-1x2x1x2-1x17x1x2-1x17x1x2-{given}{dtype}",
            kind,
            what,
            f"{why}; `flash_attention=False` takes the composite",
            kernel=True,
        )
        for note, given, what, why in (
            ("nan in a masked key", "mask=1x1x2x17", "nan, as if it were not masked", ADDED),
            ("inf in a masked key", "mask=1x1x2x17", "nan, as if it were not masked", ADDED),
            ("hidden by infinity", "bias=1x1x2x17", "0, not nan, where the bias of all sources is -inf", SAFE),
        )
        for kind, dtype in (("value", ""), ("in a loop", ""), ("value", " float32"))  # the last is Keras's number
    ),
    Difference("torch", "abs-nan-1", "gradient", "0, not nan", "torch.sgn(nan) is 0; the value is nan all the same"),
    Difference(
        "tensorflow",
        "max_pool_nd-1x3x1-(2,)-(1,)-((0,0),)",
        "value",
        "the lowest finite number, where a window holds -inf only",
        "the CPU kernel of tf.nn.max_pool starts from it",
    ),
    Difference("tensorflow", "relu-nan-1", "gradient", "0, not 1", "that of tf.nn.relu; the value is nan all the same"),
    Difference("jax", "divide-large and small-2-2", "gradient", "0 and inf", SQUARED),
    Difference(
        "jax",
        "gce not finite",
        "value",
        "a number, not nan, where the true class has one",
        "in a compiled program XLA makes a choice of the product with a one-hot vector",
    ),
    Difference("jax", "arcsinh-large-2", "gradient", "3/2 of the slope", SQUARED),
    Difference(
        "tensorflow",
        "Softmax-not finite-4x3",
        "value",
        "0, not nan, beside an inf or of -inf alone",
        "the CPU kernel of tf.nn.softmax, which takes a third of the time of the composite",
    ),
    *(
        Difference("tensorflow", name, "value", "0, not nan", "as above")
        for name in (
            "Activation-not finite softmax-4x3",
            "softmax hard",
            "softmax axis=0 hard",
            "softmax-edge-2x3 float32",
        )
    ),
    *(
        Difference(
            "tensorflow",
            name,
            "value",
            "the largest or smallest number beside a nan, not nan",
            "the CPU kernels compare with `>` and `<`, which nan is not",
        )
        for name in (
            "max_pool-edge-2x3x1-2-1-same float32",
            "segment_max-edge-4-4-4 float32",
            "segment_min-edge-4-4-4 float32",
        )
    ),
    *(
        Difference(
            backend,
            f"{op}-edge-{shapes} float32",
            "error",
            "an error, not a number",
            "their kernels raise at an integer 0",
        )
        for backend in ("torch", "tensorflow")
        for op in ("floor_divide", "mod", "fmod")
        for shapes in ("3-3", "3-3'")
    ),
    Difference(
        "tensorflow",
        "MaxPooling1D-not finite-1x4x2",
        "value",
        "the largest number beside a nan, not nan",
        "the CPU kernel of tf.nn.max_pool compares with `>`, which nan is not",
    ),
    Difference(
        "tensorflow",
        "Conv2DTranspose-no rows-0x4x4x2",
        "gradient",
        "of the shape of the outputs, where there are no samples",
        "the CPU kernel of Conv2D returns an empty array of its inputs' shape",
    ),
    *(
        Difference(
            "tensorflow",
            name,
            "in a loop",
            "the other number beside a nan, not nan",
            "XLA compiles maxima and minima for the CPU so for speed (its flag `xla_cpu_enable_fast_min_max`)",
        )
        for name in ("maximum-2-2", "minimum-2-2", "max-2x2-1", "min-2x2-1", "argmax-2x3-1")
    ),
    Difference("tensorflow", "gelu-18-False", "in a loop", "-inf of -inf, not nan", "XLA's tanh is not quite -1 there"),
    *(
        Difference("tensorflow", name, "in a loop", "an error", "XLA has no kernel for the eigenvalues of any matrix")
        for name in ("eig-3x3", "eig-2x4x4")
    ),
)


def known(backend: str, case: str, kind: str) -> Difference | None:
    """Return the entry for one comparison, or None."""
    found = next((d for d in KNOWN if (d.backend, d.case, d.kind) == (backend, case, kind)), None)
    return None if found and found.kernel and not fast.enabled("kernels") else found
