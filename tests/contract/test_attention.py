"""Attention by kernels and by blocks of targets: the numbers of the formula, and no array of all scores."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from contract.references.networks import dot_product_attention as formula
from helpers import assert_parity
from polykeras import autodiff, ops
from polykeras.backend import Backend, registry, use_backend
from polykeras.backend.families import attention

HINTS = (True, None, False)
B, H = 2, 4

MASKS: dict[str, tuple[Any, ...] | None] = {
    "none": None, "sources": ("S",), "targets and sources": ("T", "S"), "padding": (B, 1, 1, "S"),
    "of samples": (B, 1, "T", "S"), "of queries": (1, H, "T", 1), "of heads": (B, H, 1, 1), "whole": (B, H, "T", "S"),
    "of three axes": (H, 1, "S"),
}  # fmt: skip
BIASES: dict[str, tuple[Any, ...] | None] = {"none": None, "of heads": (1, H, "T", "S"), "of sources": ("S",)}
LENGTHS = ((25, 17), (17, 25), (20, 20))  # kernels want more than a few sources


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of eight targets: no length is a multiple."""
    monkeypatch.setattr(attention, "BLOCK", 8)


def drawn(name: str, lengths: tuple[int, int], key_heads: int, mask: str, bias: str) -> dict[str, Any]:
    """Return the arrays of a structure. Some targets see no source."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    targets, sources = lengths

    def normal(*shape: Any) -> np.ndarray:
        return rng.standard_normal(shape).astype("float32")

    def sized(shape: tuple[Any, ...]) -> list[int]:
        return [{"T": targets, "S": sources}.get(n, n) for n in shape]

    found: dict[str, Any] = {
        "query": normal(B, targets, H, 3), "key": normal(B, sources, key_heads, 3),
        "value": normal(B, sources, key_heads, 5),
    }  # fmt: skip
    if (shape := BIASES[bias]) is not None:
        found["bias"] = normal(*sized(shape))
    if (shape := MASKS[mask]) is not None:
        found["mask"] = rng.random(sized(shape)) > 0.6
    return found


def expected(given: dict[str, Any], **options: Any) -> np.ndarray:
    """Return what the formula gives in float64. A target that sees no source gets the mean of all."""
    wide = {name: x.astype("float64") if x.dtype.kind == "f" else x for name, x in given.items()}
    options.pop("flash_attention", None)
    with np.errstate(invalid="ignore"):
        result = formula(**wide, **options)
    mean = np.repeat(wide["value"], H // wide["value"].shape[2], 2).mean(1, keepdims=True)
    return np.where(np.isnan(result), mean, result)


def attended(given: dict[str, Any], **options: Any) -> Any:
    return ops.dot_product_attention(**given, **options)


def gradients(given: dict[str, Any], order: int = 1, **options: Any) -> list[Any]:
    """Return the gradients of weighted results in the float arrays; of order 2, of the weighted gradients."""
    names = [name for name in given if name != "mask"]
    weights = np.random.default_rng(0).standard_normal((B, given["query"].shape[1], H, 5)).astype("float32")

    def total(arrays: list[Any]) -> Any:
        result = attended(given | dict(zip(names, arrays, strict=True)), **options)
        return ops.sum(ops.multiply(result, ops.cast(weights, ops.dtype(result))))

    def slopes(function: Callable[..., Any], arrays: list[Any]) -> list[Any]:
        return registry.current().value_and_grad(lambda x: (function(x), None), arrays)[2]

    def of_slopes(arrays: list[Any]) -> Any:
        pairs = zip(slopes(total, arrays), arrays, strict=True)
        parts = [ops.sum(ops.multiply(slope, ops.sin(x))) for slope, x in pairs]
        return sum(parts[1:], parts[0])

    return slopes(total if order == 1 else of_slopes, [ops.convert_to_tensor(given[name]) for name in names])


def check(name: str, given: dict[str, Any], second: bool, **options: Any) -> None:
    """Compare each hint with the formula, and gradients with those of the plain composite; eager and compiled."""
    want = expected(given, **options)
    given = {key: ops.convert_to_tensor(x) for key, x in given.items()}
    with use_backend(registry.plain(registry.current())):
        slopes = [gradients(given, order, flash_attention=False, **options) for order in range(1, 2 + second)]

    def agree(got: Any, want: Any, order: int, hint: bool | None) -> None:
        got, want = ops.convert_to_numpy(got), np.asarray(ops.convert_to_numpy(want), "float32")
        assert_parity(got, want, 5e-5 * (1 + order), 5e-5 * (1 + order), what=f"{name}, {hint}, derivative {order}")

    agree(attended(given, flash_attention=False, **options), want, 0, False)
    for hint in (True, None):

        def run(x: dict[str, Any], hint: bool | None = hint) -> Any:
            return attended(x, flash_attention=hint, **options), gradients(x, flash_attention=hint, **options)

        compiled = autodiff.function(run)
        for result, found in (run(given), *(compiled(given) for _ in range(3))):
            agree(result, want, 0, hint)
            for got, slope in zip(found, slopes[0], strict=True):
                agree(got, slope, 1, hint)
        if second:
            for got, slope in zip(gradients(given, 2, flash_attention=hint, **options), slopes[1], strict=True):
                agree(got, slope, 2, hint)


STRUCTURES = [
    (mask, bias, lengths, key_heads, causal)
    for i, (mask, bias, causal) in enumerate(product(MASKS, BIASES, (False, True)))
    for lengths, key_heads in [(LENGTHS[i % 3], (4, 2, 1)[i % 3 if i % 2 else (i // 3) % 3])]
]


@pytest.mark.slow
@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_structures(backend: Backend, structure: tuple[Any, ...]) -> None:
    mask, bias, lengths, key_heads, causal = structure
    given = drawn(str(structure), lengths, key_heads, mask, bias)
    check(str(structure), given, second=zlib.crc32(str(structure).encode()) % 4 == 0, is_causal=causal)


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["none", "padding", "targets and sources"])
def test_a_soft_cap_and_a_scale(backend: Backend, mask: str) -> None:
    given = drawn(mask, (25, 17), 2, mask, "none")
    check(mask, given, second=True, attn_logits_soft_cap=1.5, scale=2.0)
    check(mask, given, second=True, scale=0.3, is_causal=True)


ORDERS = {"heads last": (0, 1, 3, 2), "places last": (0, 2, 3, 1), "batch last": (1, 2, 3, 0)}


@pytest.mark.parametrize("order", ORDERS)
def test_arrays_in_any_layout(backend: Backend, order: str) -> None:
    """A kernel may read rows as if they lay in one piece."""
    axes, rng = ORDERS[order], np.random.default_rng(0)
    given = {name: rng.standard_normal((2, 20, 4, 4)).astype("float32") for name in ("query", "key", "value")}
    want = expected(given).astype("float32")
    back = list(np.argsort(axes))

    def run(arrays: dict[str, Any]) -> tuple[Any, list[Any]]:
        def total(parts: list[Any]) -> tuple[Any, Any]:
            result = ops.dot_product_attention(*(ops.transpose(x, back) for x in parts))
            return ops.sum(ops.square(result)), result

        _, result, slopes = registry.current().value_and_grad(total, list(arrays.values()))
        return result, slopes

    moved = {name: ops.transpose(ops.convert_to_tensor(x), axes) for name, x in given.items()}
    with use_backend(registry.plain(registry.current())):
        slopes = run(moved)[1]
    for result, found in (run(moved), autodiff.function(run)(moved)):
        assert_parity(ops.convert_to_numpy(result), want, 5e-5, 5e-5, what=order)
        for got, slope in zip(found, slopes, strict=True):
            assert_parity(ops.convert_to_numpy(got), ops.convert_to_numpy(slope), 1e-4, 1e-4, what=order)


@pytest.mark.parametrize(
    "shapes",
    [
        {"query": (2, 20, 4, 3), "key": (1, 20, 4, 3), "value": (1, 20, 4, 3)},
        {"query": (1, 20, 4, 3), "key": (2, 20, 4, 3), "value": (2, 20, 4, 3)},
        {"query": (1, 20, 4, 3), "key": (1, 20, 4, 3), "value": (1, 20, 4, 3), "mask": (2, 1, 1, 20)},
        {"query": (1, 1, 4, 3), "key": (1, 20, 4, 3), "value": (1, 20, 4, 3), "bias": (1, 1, 17, 20)},
        {"query": (1, 20, 1, 3), "key": (1, 20, 1, 3), "value": (1, 20, 1, 3), "bias": (1, 2, 20, 20)},
    ],
    ids=str,
)
def test_what_broadcasts(backend: Backend, shapes: dict[str, tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()}
    given |= {"mask": given["mask"] > -1} if "mask" in given else {}
    with use_backend(registry.load("numpy")):
        want = ops.dot_product_attention(**given, flash_attention=False)
    found = ops.convert_to_numpy(ops.dot_product_attention(**given))
    assert_parity(found, np.asarray(want), 5e-5, 5e-5)


@pytest.mark.parametrize("scale", [0.0, -0.3])
def test_a_scale_that_turns_scores_around(backend: Backend, scale: float) -> None:
    given = drawn("scale", (20, 20), 4, "none", "none")
    check("scale", given, second=False, scale=scale, is_causal=True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("mask", ["none", "padding", "whole"])
def test_half_of_the_bits(backend: Backend, dtype: str, mask: str) -> None:
    given = drawn(mask, (25, 17), 2, mask, "none")
    want, tolerance = expected(given), 0.05 if dtype == "bfloat16" else 0.01
    half = {name: ops.cast(x, "bool" if name == "mask" else dtype) for name, x in given.items()}
    slopes = gradients(given, flash_attention=False)
    for hint in HINTS:
        result = attended(half, flash_attention=hint)
        assert ops.dtype(result) == dtype
        np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(result, "float32")), want, atol=tolerance)
        for got, slope in zip(gradients(half, flash_attention=hint), slopes, strict=True):
            got, slope = (ops.convert_to_numpy(ops.cast(x, "float32")) for x in (got, slope))
            np.testing.assert_allclose(got, slope, atol=6 * tolerance, rtol=6 * tolerance)


@pytest.mark.parametrize("shape", [(0, 9, 4, 3), (2, 0, 4, 3)])
def test_no_samples_and_no_targets(backend: Backend, shape: tuple[int, ...]) -> None:
    for hint in HINTS:
        key, value = np.ones((shape[0], 6, 2, 3), "float32"), np.ones((shape[0], 6, 2, 5), "float32")
        result = attended({"query": np.ones(shape, "float32"), "key": key, "value": value}, flash_attention=hint)
        assert tuple(result.shape) == (*shape[:3], 5)


def test_shapes_are_inferred(backend: Backend) -> None:
    for hint in HINTS:
        for length in (9, None):
            x = keras.Input((length, 4, 3))
            assert ops.dot_product_attention(x, x, x, flash_attention=hint, is_causal=True).shape == (
                None,
                length,
                4,
                3,
            )


# ---- that no array of all scores is made -----------------------------------------------------------------------------


def shapes_in(jaxpr: Any) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of all results of a program of JAX, also of those within it."""
    import jax

    for equation in jaxpr.eqns:
        yield from (tuple(v.aval.shape) for v in equation.outvars)
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from shapes_in(inner)


def largest(backend: Backend, length: int, hint: bool | None, gradient: bool) -> int:
    """Return the number of elements of the largest array that JAX makes."""
    import jax

    def total(x: Any) -> Any:
        return backend.sum(backend.dot_product_attention(x, x, x, is_causal=True, flash_attention=hint))

    def run(x: Any) -> Any:
        return backend.value_and_grad(lambda xs: (total(xs[0]), None), [x])[2][0] if gradient else total(x)

    program = jax.make_jaxpr(run)(jax.ShapeDtypeStruct((1, length, 1, 8), "float32"))
    return max(math.prod(shape) for shape in shapes_in(program.jaxpr))


@pytest.mark.needs("jax")
@pytest.mark.parametrize("gradient", [False, True])
def test_many_scores_are_never_held(monkeypatch: pytest.MonkeyPatch, gradient: bool) -> None:
    monkeypatch.undo()  # the blocks are those of users
    with use_backend("jax") as jax:
        assert attention.BLOCK == 128
        assert largest(jax, 4096, None, gradient) == 128 * 4096
        assert largest(jax, 4095, None, gradient) == 4095**2  # just below the threshold
        assert largest(jax, 4096, False, gradient) == 4096**2
        assert largest(jax, 1024, True, gradient) == 128 * 1024
        assert largest(jax, 1024, None, gradient) == 1024**2
