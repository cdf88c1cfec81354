"""What holds of any layer at ragged edges, with no value expected: laws over layers that are drawn at random."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract.layer_draws import FAMILIES, Drawn, Numbers, Spec, drawn_layers, each
from differential import opponent
from helpers.layer_runner import LayerCase
from helpers.parity import assert_parity, largest
from helpers.reference import REFERENCE
from helpers.runner import narrowed, running
from known_differences import known
from polykeras import layers
from polykeras.backend import Backend, registry
from polykeras.common import nested
from polykeras.graph import KerasTensor

NUMPY = registry.load(REFERENCE)
EXAMPLES = {"jax": 3, "tensorflow": 10, "torch": 12}
"""How many a family on backends that take their time; on numpy there are 30."""
TELLING = re.compile("received|does not fit|do not divide|leaves nothing|is not known|is unknown")
"""What our refusals say, and a framework's own do not."""
HALVES = {"float16": 0.03, "bfloat16": 0.1, "mixed_float16": 0.03, "mixed_bfloat16": 0.1}

each_family = pytest.mark.parametrize("family", FAMILIES)


def examine(law: Callable[[Any], None], drawn: st.SearchStrategy[Any], examples: int = 30) -> None:
    """Hold a law against some draws, the same in each run."""
    settings(max_examples=examples)(given(drawn)(law))()


def outcome(run: Callable[[], Any]) -> Any:
    """Return what a call gives, or the message with which it refuses, which says what does not fit. Others are defects."""
    try:
        return run()
    except ValueError as error:
        message = str(error)
    assert TELLING.search(message), f"{message!r} does not say what was received, and why it is refused."
    return message


def values(case: LayerCase, backend: Backend, width: int = 32) -> list[np.ndarray] | str:
    """Return the outputs and the state, or the message with which the call is refused."""
    return outcome(lambda: case.values(backend, width))


def reference(drawn: Drawn) -> list[np.ndarray]:
    """Return what the numpy backend gives in float64, of draws that are not refused."""
    found = values(drawn.case(), NUMPY, 64)
    assume(not isinstance(found, str))
    return found  # type: ignore[return-value]


def compare(got: list[np.ndarray], want: list[np.ndarray], drawn: Drawn, tolerance: float = 1e-3) -> None:
    """Raise unless two lists agree, to a part of their largest number."""
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        atol = tolerance * max(largest([b]), 0.1)
        assert_parity(a.astype("float64"), b.astype("float64"), tolerance, atol, repr(drawn))


# ---- on each backend -------------------------------------------------------------------------------------------------


@each_family
def test_backends_agree(family: str, backend: Backend) -> None:
    """Values and gradients are numpy's in float64; gradients are finite; what is refused is refused everywhere."""

    def law(drawn: Drawn) -> None:
        case = drawn.case()
        expected = values(case, NUMPY, 64)
        if isinstance(expected, str):
            assert isinstance(values(case, backend), str)
            return
        compare(case.values(backend), expected, drawn)
        if all(x.dtype.kind == "f" and x.size for x in case.values(NUMPY)):
            slopes = case.gradients(NUMPY, 64)
            assert all(np.isfinite(slope).all() for slope in slopes), drawn
            compare(case.gradients(backend), slopes, drawn)

    examine(law, drawn_layers(family), EXAMPLES.get(backend.name, 30))


@each_family
def test_backends_agree_about_what_is_no_number(family: str, backend: Backend) -> None:
    """As listed, a kernel of TensorFlow takes the largest number beside a nan."""
    past_nan = known(backend.name, "MaxPooling1D-not finite-1x4x2", "value")

    def law(drawn: Drawn) -> None:
        assume(not (past_nan and drawn.spec.name.startswith("MaxPooling")))
        expected = reference(drawn)
        compare(drawn.case().values(backend), expected, drawn)

    examine(law, drawn_layers(family, odd=True), EXAMPLES.get(backend.name, 30))


@each_family
def test_half_precision_is_near(family: str, backend: Backend) -> None:
    def law(pair: tuple[Drawn, str]) -> None:
        drawn, dtype = pair
        expected = reference(drawn)
        case = drawn.case(dtype=dtype)
        got = case.values(backend)
        for a, spec in zip(got, case.specs(case.make()), strict=False):
            assert a.dtype.name == spec.dtype, drawn
        compare(got, expected, drawn, HALVES[dtype])

    draws = st.tuples(drawn_layers(family), each(*HALVES))
    examine(law, draws, min(EXAMPLES.get(backend.name, 30), 8))


# ---- on numpy alone --------------------------------------------------------------------------------------------------


@each_family
def test_shapes_are_known_beforehand(family: str) -> None:
    """Of batches and axes of unknown size too: what is known is right, and what is refused cannot be run."""

    def law(drawn: Drawn) -> None:
        found = values(drawn.case(), NUMPY)

        def shapes(batch: bool, rest: bool) -> Any:
            def symbol(x: Any) -> Any:
                if not isinstance(x, np.ndarray):
                    return x
                return KerasTensor(
                    (None if batch else len(x), *((None,) * (x.ndim - 1) if rest else x.shape[1:])),
                    narrowed(x, 32).dtype,
                )

            inputs, kwargs = nested.map_structure(symbol, (drawn.inputs, drawn.kwargs))
            given = inputs if isinstance(inputs, tuple) else (inputs,)
            specs = nested.flatten(drawn.spec.make().compute_output_spec(*given, **kwargs))
            return [(spec.shape, spec.dtype) for spec in specs]

        known = outcome(lambda: shapes(False, False))
        if isinstance(found, str):
            assert isinstance(known, str), drawn
            return
        assert known == [(y.shape, y.dtype.name) for y in found[: len(known)]], drawn
        for other in (outcome(lambda: shapes(True, False)), outcome(lambda: shapes(True, True))):
            if isinstance(other, str):
                assert "known" in other or "None" in other, (drawn, other)
                continue
            for (some, _), (all_of_it, _) in zip(other, known, strict=True):
                assert len(some) == len(all_of_it), drawn
                assert all(n is None or n == m for n, m in zip(some, all_of_it, strict=True)), (drawn, some, all_of_it)

    examine(law, drawn_layers(family))


@each_family
def test_a_config_gives_the_same_layer(family: str) -> None:
    def law(drawn: Drawn) -> None:
        expected = reference(drawn)
        with running(NUMPY, 64):
            config = json.loads(json.dumps(layers.serialize(drawn.spec.make())))
        twin = dataclasses.replace(drawn.case(), make=lambda: layers.deserialize(config))
        for a, b in zip(twin.values(NUMPY, 64), expected, strict=True):
            np.testing.assert_array_equal(a, b)

    examine(law, drawn_layers(family))


@each_family
def test_rows_are_alone(family: str) -> None:
    """A batch is its rows, one by one, where the layer's class says that it looks at each row by itself."""

    def law(drawn: Drawn) -> None:
        whole = reference(drawn)
        alone = type(drawn.spec.make()).sample_by_sample
        assume(alone is True or (alone == "not in training" and not drawn.kwargs.get("training")))
        rows = len(nested.flatten(drawn.inputs)[0])
        outputs = len(nested.flatten(drawn.case().specs(drawn.spec.make())))

        def only(i: int) -> Any:
            return nested.map_structure(
                lambda x: x[i : i + 1] if isinstance(x, np.ndarray) else x, (drawn.inputs, drawn.kwargs)
            )

        for i in range(rows):
            inputs, kwargs = only(i)
            one = dataclasses.replace(drawn.case(), inputs=inputs, kwargs=kwargs).values(NUMPY, 64)
            for a, b in zip(one[:outputs], whole[:outputs], strict=True):
                np.testing.assert_allclose(a[0], b[i], rtol=1e-9, atol=1e-12, err_msg=repr(drawn))

    examine(law, drawn_layers(family))


# ---- masks -----------------------------------------------------------------------------------------------------------


@st.composite
def masked(draw: Any) -> tuple[Drawn, Drawn, int]:
    """Draw a layer that follows a mask, and the same call with masked steps put behind; and the number of steps."""
    seed = draw(st.integers(0, 99))
    n = Numbers(seed)
    kind = draw(each("recurrents", "recurrents", "time", "average", "attention", "heads"))
    steps, more = draw(each(1, 2, 4)), draw(each(1, 3))
    rows = draw(each(2, 1))

    def behind(x: np.ndarray) -> np.ndarray:
        return np.concatenate([x, 9 * n.floats(rows, more, *x.shape[2:])], 1)

    if kind == "recurrents":
        spec, x, _ = FAMILIES["recurrents"](draw, n)
        assume(len(x) and not (spec.arguments.get("layer") or spec).arguments.get("zero_output_for_mask"))
        rows, steps = x.shape[:2]
    else:
        x = n.floats(rows, steps, 4)
        spec = {
            "time": Spec("TimeDistributed", {"layer": Spec("Dense", {"units": 2})}),
            "average": Spec("GlobalAveragePooling1D"),
            "attention": Spec("Attention", {"score_mode": draw(each("dot", "concat"))}),
            "heads": Spec("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        }[kind]
    mask = n.mask(draw, rows, steps)
    if kind in ("attention", "heads"):
        mask[:, 0] = True  # a query that may look at no key looks at all of them, the new ones too
    longer = np.concatenate([mask, np.zeros((rows, more), bool)], 1)
    query = n.floats(rows, 2, 4)
    if kind == "attention":
        calls = [([query, x], {"mask": [None, mask]}), ([query, behind(x)], {"mask": [None, longer]})]
    elif kind == "heads":
        calls = [((query, x), {"value_mask": mask}), ((query, behind(x)), {"value_mask": longer})]
    else:
        calls = [(x, {"mask": mask}), (behind(x), {"mask": longer})]
    short, long = (Drawn(spec, inputs, kwargs, seed) for inputs, kwargs in calls)
    return short, long, steps


def test_masked_steps_behind_change_nothing() -> None:
    def law(draws: tuple[Drawn, Drawn, int]) -> None:
        short, long, steps = draws
        few = reference(short)
        many = dataclasses.replace(short.case(), inputs=long.inputs, kwargs=long.kwargs).values(NUMPY, 64)
        back = (short.spec.arguments.get("layer") or short.spec).arguments.get("go_backwards")
        for a, b in zip(few, many, strict=True):
            same = b if a.shape == b.shape else b[:, -steps:] if back else b[:, :steps]
            np.testing.assert_allclose(same, a, rtol=1e-9, atol=1e-12, err_msg=f"{short}\n{long}")

    examine(law, masked(), 150)


# ---- Keras -----------------------------------------------------------------------------------------------------------


@pytest.mark.keras
@each_family
def test_keras_gives_the_same(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Keras computes we compute, to the same numbers, shapes and dtypes."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = opponent.keras()

    def law(drawn: Drawn) -> None:
        # A known difference, whose proof is among the recorded layers: on JAX Keras lays the mask along another axis.
        assume(not (drawn.spec.name.startswith("ConvLSTM") and drawn.kwargs.get("mask") is not None))

        def given(x: Any) -> Any:
            return keras.ops.convert_to_tensor(narrowed(x, 32)) if isinstance(x, np.ndarray) else x

        inputs, kwargs = nested.map_structure(given, (drawn.inputs, drawn.kwargs))
        args = inputs if isinstance(inputs, tuple) else (inputs,)
        try:
            layer = drawn.spec.make(keras.layers)
            layer(*args, **kwargs)
        except Exception:  # what Keras refuses we may do, or not
            assume(False)
        case = drawn.case()
        expected = values(case, NUMPY)
        if isinstance(expected, str):  # where Keras gives what has no elements, or only some of its backends can
            assert "does not fit" in expected, (drawn, expected)
            return
        with running(NUMPY, 32):
            layer.set_weights(case.built(NUMPY).get_weights())
        theirs = [opponent.host(y) for y in nested.flatten(layer(*args, **kwargs))]
        assert [y.dtype.name for y in theirs] == [y.dtype.name for y in expected[: len(theirs)]], drawn
        compare(expected[: len(theirs)], theirs, drawn)

    examine(law, drawn_layers(family), 8)
