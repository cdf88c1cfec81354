"""Small tensors of torch's optimizers side by side: the same numbers to the last bit, and memory of one's own after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as k
from polykeras import fast
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.skipif(not fast.enabled(), reason="a fast path"),
    pytest.mark.cpu_only("kernels, threads and memory of the CPU"),
]

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(96, 16)).astype("float32"), RNG.normal(size=(96, 3)).astype("float32")


def trained(optimizer: Any, steps: int, **layer: Any) -> k.Model:
    """Return a model of small and large layers, of sizes that fill cache lines and others, after 24 steps."""
    k.utils.set_random_seed(1)
    widths = (16, 32, 7, 16, 1100, 16, 16, 16)
    model = k.Sequential([k.Input((16,)), *(k.layers.Dense(n, "tanh", **layer) for n in widths), k.layers.Dense(3)])
    model.compile(optimizer, "mse", steps_per_execution=steps)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    return model


@pytest.fixture
def packs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which the packs are added that are laid side by side."""
    from polykeras_torch.compiler import replay

    seen: list[Any] = []
    lay = replay.lay_side_by_side
    monkeypatch.setattr(replay, "lay_side_by_side", lambda state, packs: seen.extend(packs) or lay(state, packs))
    return seen


@pytest.mark.parametrize(
    ("optimizer", "count"),
    [
        (lambda: k.optimizers.Adam(0.01), 3),  # parameters and two averages
        (lambda: k.optimizers.Adam(0.01, amsgrad=True), 4),
        (lambda: k.optimizers.SGD(0.01), 1),
        (lambda: k.optimizers.SGD(0.01, momentum=0.9), 0),  # which has no kernel
    ],
)
def test_packs_change_no_bit(packs: list[Any], optimizer: Any, count: int) -> None:
    with use_backend("torch"):
        one_by_one = trained(optimizer(), steps=1)
        assert not packs
        together = trained(optimizer(), steps=6)
        again = trained(optimizer(), steps=4)
    assert len(packs) == 10 * count  # four chunks and six, each with its packs
    for model in (together, again):
        for a, b in zip(one_by_one.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one_by_one.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_only_small_tensors_that_fill_cache_lines_are_packed(packs: list[Any]) -> None:
    with use_backend("torch"):
        model = trained(k.optimizers.Adam(0.01), steps=12)
    sizes = [v.numpy().size for v in model.trainable_variables]
    (chosen,) = {pack.inputs for pack in packs if max(pack.inputs) < len(sizes)}
    assert chosen == tuple(i for i, size in enumerate(sizes) if size % 16 == 0 and size <= 2**14)
    assert 8 <= len(chosen) < len(sizes)


def test_what_a_chunk_returns_has_memory_of_its_own(packs: list[Any]) -> None:
    with use_backend("torch"):
        model = trained(k.optimizers.Adam(0.01), steps=12)
        values = [v.value for v in model.trainable_variables]
    assert packs
    assert all(value.untyped_storage().nbytes() == value.nbytes for value in values)


def test_weights_that_are_read_after_their_update_are_the_new_ones(packs: list[Any]) -> None:
    bound = k.constraints.MaxNorm(0.5)
    with use_backend("torch"):
        models = [trained(k.optimizers.Adam(0.1), steps, kernel_constraint=bound) for steps in (1, 8)]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Idle(k.layers.Layer):
    """A layer whose weight is used by nothing: its gradient is a constant."""

    def build(self, input_shape: Any) -> None:
        self.idle = self.add_weight((16,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return inputs


def test_a_weight_without_a_gradient_is_packed_too(packs: list[Any]) -> None:
    weights = []
    with use_backend("torch"):
        for steps in (1, 12):
            k.utils.set_random_seed(1)
            dense = [k.layers.Dense(16, "tanh") for _ in range(5)]
            model = k.Sequential([k.Input((16,)), Idle(), *dense, k.layers.Dense(3)])
            model.compile("adam", "mse", steps_per_execution=steps)
            model.fit(X, Y, batch_size=8, verbose=0)
            weights.append(model.get_weights())
    assert [len(pack.inputs) for pack in packs] == [12] * 3  # ten of dense layers, a kernel of the last one, and this
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
