"""Cases of losses, normalisations, attention, encodings and segments."""

from __future__ import annotations

from contract.cases.activations import SUM
from contract.cases.elementwise import unary
from contract.table import INF, NAN, A, B, I, N, S, U, case

WIDER = {"atol": 1e-5, "why": "chains of sums"}
PROBABILITIES = A([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
CLASSES = A([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

NORMALIZED = {"through": lambda b, r: r[0], "note": "the result alone"}

CASES = (
    # ---- losses
    case("binary_crossentropy", A([0.0, 1.0, 1.0]), U(0.1, 0.9, 3), grad=(1,), **SUM),
    case("binary_crossentropy", A([0.0, 1.0, 0.3]), N(3), True, **SUM),
    case("binary_crossentropy", A([0.0, 1.0, 0.0, 1.0]), A([88.0, 88.0, -1e4, -1e4]), True, grad=(1,), **SUM),
    case("binary_crossentropy", A([0.0, 1.0]), A([1.0, 0.0]), note="clipped", grad=False, rtol=2e-2, why="1 - 1e-7"),
    case("categorical_crossentropy", CLASSES, PROBABILITIES, grad=(1,), **SUM),
    case("categorical_crossentropy", CLASSES, N(2, 3), True, grad=(1,), second=True, **SUM),
    case("categorical_crossentropy", CLASSES, A([[1e4, 0.0, 0.0], [1e4, 0.0, 0.0]]), True, grad=(1,), **SUM),
    case("categorical_crossentropy", A(CLASSES.T), N(3, 2), True, 0, grad=(1,), **SUM),
    case("sparse_categorical_crossentropy", I(0, 1), PROBABILITIES, **SUM),
    case("sparse_categorical_crossentropy", I(0, 2), N(2, 3), True, **SUM),
    case("sparse_categorical_crossentropy", I(0, 2), N(3, 2), True, 0, **SUM),
    case("psnr", N(2, 3), N(2, 3), 2.0, rtol=1e-4, **SUM),
    case("ctc_loss", I([[1, 2, 2], [3, 1, 0]]), N(2, 8, 4), I(3, 2), I(8, 6), rtol=1e-4, **WIDER),
    case("ctc_loss", I([[1], [2]]), N(2, 4, 3), I(1, 1), I(4, 3), mask_index=0, rtol=1e-4, **WIDER),
    case("ctc_decode", N(2, 6, 4), I(6, 4), grad=False, **SUM),
    case("ctc_decode", N(2, 6, 4), I(6, 4), merge_repeated=False, grad=False, **SUM),
    # ---- normalisations, attention
    case("moments", N(2, 3, 4), (0, 2), **SUM),
    case("moments", N(2, 3), 0, True, **SUM),
    case("normalize", N(3, 4), **SUM),
    case("normalize", N(3, 4), 0, 1, **SUM),
    case("normalize", A([[0.0, 0.0], [3.0, 4.0]]), fd=False, rtol=1e-4, why="the zero vector meets epsilon"),
    case("batch_normalization", N(2, 3, 4), N(4), U(0.5, 2, 4), -1, N(4), N(4), **WIDER),
    case("batch_normalization", N(2, 3, 4), N(3), U(0.5, 2, 3), 1, **WIDER),
    case("normalize_batch", N(3, 2, 4), 1, N(2), grad=False, rtol=1e-4, **WIDER),
    case("normalize_batch", N(5, 4), -1, N(4), U(0.5, 2, 4), second=True, rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(3, 2, 4), 1, N(2), rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(4, 3), scale=N(3), rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(2, 2, 3, 4), -1, N(4), U(0.5, 2, 4), second=True, rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(2, 2, 3, 4), scale=U(0.5, 2, 4), rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(2, 4, 3, 3), 1, N(4), second=True, rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", N(2, 3, 2, 2), 2, N(2), rtol=1e-4, **NORMALIZED, **WIDER),
    case("normalize_batch", A([[1.0, 2.0], [1.0, 4.0]]), rtol=1e-3, atol=1e-3, why="variance 0 meets epsilon",
         **NORMALIZED),
    case("layer_normalization", N(3, 4), N(4), N(4), second=True, rtol=1e-4, **WIDER),
    case("layer_normalization", N(2, 3, 4), axis=(1, 2), rtol=1e-4, **WIDER),
    case("layer_normalization", A([[1.0, 1.0, 1.0]]), rtol=1e-3, atol=1e-3, why="variance 0 meets epsilon"),
    case("rms_normalization", N(3, 4), N(4), rtol=1e-4, **WIDER),
    case("rms_normalization", N(3, 4), axis=0, epsilon=0.1, **WIDER),
    case("gru", N(4, 2, 5), N(2, 3), N(5, 9), N(3, 9), N(2, 9), second=True, **WIDER),
    case("gru", N(1, 2, 2), N(2, 1), N(2, 3), N(1, 3), **WIDER),
    case("lstm", N(4, 2, 5), N(2, 3), N(2, 3), N(5, 12), N(3, 12), N(12), second=True, **WIDER),
    case("lstm", N(1, 2, 2), N(2, 1), N(2, 1), N(2, 4), N(1, 4), **WIDER),
    case("lstm", N(2, 1, 8), N(1, 2), N(1, 2), U(-100, 100, 8, 8), N(2, 8), note="saturated", fd=False, **WIDER),
    case("dot_product_attention", N(1, 3, 2, 4), N(1, 5, 2, 4), N(1, 5, 2, 4), **WIDER),
    case("dot_product_attention", N(1, 3, 2, 4), N(1, 3, 2, 4), N(1, 3, 2, 4), is_causal=True, **WIDER),
    case("dot_product_attention", N(1, 3, 4, 4), N(1, 5, 2, 4), N(1, 5, 2, 4), scale=0.7, note="grouped", **WIDER),
    case("dot_product_attention", N(1, 2, 1, 4), N(1, 3, 1, 4), N(1, 3, 1, 4), mask=B([[[[True, False, True]] * 2]]),
         bias=N(1, 1, 2, 3), attn_logits_soft_cap=2.0, **WIDER),
    # More sources than a vector of a kernel has floats.
    *(
        case("dot_product_attention", N(1, 2, 1, 2), A([[[[x, 1.0]], *[[[0.5, 1.0]]] * 16]]), N(1, 17, 1, 2),
             mask=B([[[[False] + [True] * 16] * 2]]), grad=False, note=f"{what} in a masked key", **WIDER)
        for what, x in (("nan", NAN), ("inf", INF))
    ),
    case("dot_product_attention", N(1, 2, 1, 2), N(1, 17, 1, 2), A([[[[NAN, 1.0]], [[INF, 1.0]], *[[[0.0, 1.0]]] * 15]]),
         mask=B([[[[False] * 2 + [True] * 15] * 2]]), grad=False, note="nan and inf in masked values", **WIDER),
    case("dot_product_attention", N(1, 2, 1, 2), N(1, 17, 1, 2), N(1, 17, 1, 2), grad=False, note="hidden by infinity",
         bias=A([[[[-INF] * 17, [0.0, -INF] + [1.0] * 15]]]), **WIDER),
    *(
        case("dot_product_attention", A([[[[NAN, 1.0]], [[2.0, 1.0]]]]), N(1, sources, 1, 2), N(1, sources, 1, 2),
             grad=False, note="nan in a query", **WIDER)
        for sources in (3, 17)
    ),
    # ---- encodings
    case("one_hot", I(0, 2, -1, 5), 3, grad=False),
    case("one_hot", I([[0, 2], [1, 1]]), 3, axis=1, dtype="int32", grad=False),
    case("multi_hot", I([[0, 2], [1, 1]]), 4, grad=False),
    case("in_top_k", I(0, 2, 1), A([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]]), 1, grad=False),
    case("in_top_k", I(0, 2), A([[0.5, 0.3, NAN], [0.1, 0.8, 0.1]]), 2, grad=False),
    # ---- special
    case("erfc", N(3, 4)),
    case("erfc", A([0.0, 1e-6, 2.0, 4.0, 8.0, 9.0, -4.0]), rtol=1e-4, why="exp of squares"),
    case("erfc", A([88.0, -88.0, 1e4, -1e4, INF, -INF, NAN]), note="hard", fd=False),
    *unary("lgamma", U(0.1, 9, 3, 4), rtol=1e-4, why="slopes have zeros, and poles that cancel"),
    case("lgamma", A([0.9999, 1.0001, 1.5, 1.9999, 2.0, 2.001, 2.5, 7.99, 8.0, 1e5]), note="near zeros and seams"),
    case("lgamma", A([-0.5, -1.25, -6.75, -0.001]), second=True, rtol=1e-4, why="poles are near"),
    case("lgamma", I(1, 5, 0, 100), grad=False),
    case("gammainc", U(0.1, 9, 3, 4), U(0.1, 9, 3, 4), second=True, rtol=1e-4, why="slopes in `x1` cancel"),
    case("gammainc", U(0.5, 60, 4, 1), U(0.5, 60, 5), rtol=1e-4, atol=1e-6, why="slopes in `x1` cancel"),
    case("gammainc", A([1e-3, 0.01, 0.5, 8.5, 100.0, 300.0]), A([1e-3, 30.0, 0.001, 1e-3, 120.0, 200.0]), rtol=2e-4,
         atol=1e-6, why="ill-conditioned far from the mean"),
    case("gammainc", A([0.0, 1.0, 0.5, INF, 1.0, 0.0, INF, -1.0, 1.0, NAN, 1e20, 2.0]),
         A([2.0, 0.0, 0.0, 3.0, INF, 0.0, INF, 1.0, -1.0, 1.0, 1e4, 1e30]), grad=False, note="hard"),
    case("gammainc", I(1, 2), I(2, 1), grad=False),
    case("segment_sum", N(5, 2), I(0, 2, 0, 1, 2), **SUM),
    case("segment_sum", N(5), I(0, 0, 1, 1, 3), 5, sorted=True, **SUM),
    case("segment_sum", I(1, 2, 3), I(0, 0, 1), 2, grad=False),
    case("segment_max", S(5, 2), I(0, 2, 0, 1, 2), 4, grad=False),
    case("segment_min", S(5, 2), I(0, 2, 0, 1, 2), 4, grad=False),
    case("segment_max", I(5, 7, -3), I(0, 0, 2), 4, grad=False),
    case("segment_prod", N(5), I(0, 2, 0, 1, 2), 4, grad=False),
    case("cdist", N(3, 2), N(4, 2), **WIDER),
    case("cdist", A([[0.0, 0.0], [1.0, 1.0]]), A([[0.0, 0.0], [2.0, 1.0]]), note="distance 0", fd=False, **WIDER),
)  # fmt: skip
