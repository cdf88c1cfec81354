"""What layers do beside computing: masks, states, building, configs, legacy spellings, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from polykeras import Model, ops
from polykeras import layers as L
from polykeras.autodiff import function
from polykeras.backend import Backend
from polykeras.layers.base.context import get_mask
from polykeras.saving import register_keras_serializable

X: Any = np.random.default_rng(3).standard_normal((2, 4, 3)).astype("float32")
MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool)
WORDS = np.array([[3, 1, 0, 0], [0, 2, 2, 4]], "int32")


def numpy(x: Any) -> np.ndarray:
    """Return an array as a NumPy array of its own, which has no mask."""
    return np.array(ops.convert_to_numpy(x))


def mask_of(layer: L.Layer, inputs: Any, mask: Any) -> np.ndarray | None:
    """Return the mask that a layer gives its output."""
    given = mask if isinstance(mask, list) else ops.convert_to_tensor(mask)
    result = layer.compute_mask(inputs, given)
    return None if result is None else numpy(result)


# ---- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "between", [[], [L.Dense(3), L.Dropout(0.1), L.LayerNormalization(), L.TimeDistributed(L.Dense(2))]]
)
def test_a_mask_reaches_the_recurrent_layer(between: list[L.Layer], backend: Backend) -> None:
    embedding, last = L.Embedding(5, 3, mask_zero=True), L.LSTM(2)
    inputs = x = L.Input((4,), dtype="int32")
    x = embedding(x)
    for layer in between:
        x = layer(x)
    model = Model(inputs, last(x))
    x = embedding(WORDS)
    for layer in between:
        x = layer(numpy(x))
    assert_allclose(numpy(model(WORDS)), numpy(last(numpy(x), mask=WORDS != 0)), rtol=1e-6)
    assert np.abs(numpy(model(WORDS)) - numpy(last(numpy(x)))).max() > 1e-5


def test_masks_of_merged_inputs(backend: Backend) -> None:
    other = ~MASK
    for merge in (L.Add(), L.Average(), L.Maximum(), L.Multiply()):
        masks = [ops.convert_to_tensor(m) for m in (MASK, other & False)]
        assert_array_equal(mask_of(merge, [X, X], masks), MASK)
        assert mask_of(merge, [X, X], [masks[0], None]) is None
    both = [ops.convert_to_tensor(MASK), None]
    assert_array_equal(mask_of(L.Concatenate(1), [X, X], both), np.concatenate([MASK, MASK | True], 1))
    assert mask_of(L.Dot(1), [X, X], both) is None


def test_masked_elements_do_not_count_when_merged(backend: Backend) -> None:
    y, masks = X + 1, [MASK, MASK[::-1]]
    first, second = (m[..., None] for m in masks)
    largest = np.where(first & second, np.maximum(X, y), np.where(second, y, X))
    assert_allclose(numpy(L.Maximum()([X, y], mask=masks)), largest)
    product = np.where(first, X, 1) * np.where(second, y, 1) * (first | second)
    assert_allclose(numpy(L.Multiply()([X, y], mask=masks)), product, rtol=1e-6)


def test_masking_hides_whatever_it_covers(backend: Backend) -> None:
    spoiled = np.where(MASK[..., None], X, np.float32(np.nan))
    pooled = numpy(L.GlobalAveragePooling1D()(spoiled, mask=MASK))
    assert_allclose(pooled, [X[0, :2].mean(0), X[1, 1:].mean(0)], rtol=1e-5)
    assert_array_equal(numpy(L.GlobalAveragePooling1D()(X, mask=MASK & False)), 0)
    infinite = np.where(MASK[..., None], X, np.float32(np.inf))
    assert_array_equal(numpy(L.Masking(np.inf)(infinite)), np.where(MASK[..., None], X, 0))


def test_time_distributed_passes_its_mask_on(backend: Backend) -> None:
    words = np.stack([WORDS, WORDS[::-1]], 1)
    mask = words != 0
    layer = L.TimeDistributed(L.LSTM(2))
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 3)).astype("float32")
    result = numpy(layer(x, mask=mask))
    inner = [numpy(layer.layer(x[:, t], mask=mask[:, t])) for t in range(2)]
    assert_allclose(result, np.stack(inner, 1), rtol=1e-5, atol=1e-7)


class Two(L.Layer):
    """A layer of two outputs, of which the second has a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs doubled, and negated."""
        return inputs * 2, -inputs

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the masks of both outputs."""
        return [None, previous_mask]


def test_each_output_has_a_mask_of_its_own(backend: Backend) -> None:
    first, second = Two()(L.Masking()(np.where(MASK[..., None], X, 0)))
    assert get_mask(first) is None
    assert_array_equal(numpy(get_mask(second)), MASK)


# ---- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda: L.LSTM(2, stateful=True), lambda: L.RNN([L.GRUCell(2), L.LSTMCell(2)], stateful=True)]
)
def test_a_stateful_layer_goes_on_where_it_was(make: Callable[[], L.RNN], backend: Backend) -> None:
    layer = make()
    layer(X)
    layer.reset_state()
    parts = [numpy(layer(X[:, :1])), numpy(layer(X[:, 1:]))]
    layer.reset_state()
    assert_allclose(numpy(layer(X)), parts[1], rtol=1e-5)
    assert len(layer.weights) == len(
        make().from_config(layer.get_config() | {"stateful": False}).weights or layer.weights
    )
    with pytest.raises(ValueError, match="built for batches of 2 samples; received 1"):
        layer(X[:1])


class Drop(L.Layer):
    """A cell that draws a number at each time and counts its calls."""

    state_size = 3

    def __init__(self) -> None:
        super().__init__()
        self.drop = L.Dropout(0.5, seed=1)

    def build(self, input_shape: Any) -> None:
        """Make the counter."""
        self.calls = self.add_weight((), "zeros", trainable=False)

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        """Return the inputs, thinned out."""
        self.calls.assign_add(1.0)
        return self.drop(inputs, training=training), [states[0]]


def test_variables_that_a_cell_writes_go_through_the_loop(backend: Backend) -> None:
    layer = L.RNN(Drop(), return_sequences=True)
    ones = np.ones((9, 4, 3), "float32")
    first, second = (numpy(layer(ones, training=True)) for _ in range(2))
    assert float(layer.cell.calls.numpy()) == 8
    drawn = [array[:, t].tobytes() for array in (first, second) for t in range(4)]
    assert len(set(drawn)) == 8, "each time of each call draws numbers of its own"
    alone = Drop()
    assert_array_equal(first[:, 0], numpy(alone(ones[:, 0], [ones[:, 0]], training=True)[0]))


class Halved(L.GRUCell):
    """One of our cells with another `call`."""

    def call(self, sequence: Any, states: Any, training: Any = False) -> Any:
        """Return half of what the cell gives."""
        output, new = super().call(sequence, states, training)
        return output / 2, new


def test_the_call_of_a_derived_cell_counts(backend: Backend) -> None:
    derived, plain = L.RNN(Halved(2), return_sequences=True), L.RNN(L.GRUCell(2), return_sequences=True)
    derived(X)
    plain(X)
    derived.set_weights(plain.get_weights())
    assert_allclose(numpy(derived(X)), numpy(plain(X)) / 2, rtol=1e-5)


class Added(L.StackedRNNCells):
    """A stack whose cells see their input in the output."""

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        """Return input plus output."""
        output, new = super().call(inputs, states, training)
        return ops.add(inputs, output), new


def test_the_call_of_a_derived_stack_counts(backend: Backend) -> None:
    cells = [L.LSTMCell(3), L.GRUCell(3)]
    derived, plain = L.RNN(Added(cells), return_sequences=True), L.RNN(cells, return_sequences=True)
    expected = numpy(plain(X)) + X
    assert_allclose(numpy(derived(X)), expected, rtol=1e-5, atol=1e-6)
    masked, whole = numpy(derived(X, mask=MASK)), numpy(plain(X, mask=MASK)) + X
    assert_allclose(masked[MASK], whole[MASK], rtol=1e-5, atol=1e-6)


def test_recurrent_dropout_is_one_mask_for_all_times(backend: Backend) -> None:
    layer = L.SimpleRNN(3, "linear", False, "zeros", "identity", dropout=0.5, recurrent_dropout=0.5, seed=2)
    ones = np.ones((8, 3), "float32")
    layer(X[:1])
    y = numpy(layer(np.zeros((8, 5, 3), "float32"), initial_state=ones, training=True))
    assert set(np.unique(y)) == {0.0, 32.0}


# ---- building and configs --------------------------------------------------------------------------------------------


def test_build_makes_the_weights_once() -> None:
    for layer, shapes in (
        (L.Dense(2), [(None, 3)]),
        (L.LSTM(2), [(None, 4, 3)]),
        (L.Bidirectional(L.LSTM(2)), [(None, 4, 3)]),
        (L.MultiHeadAttention(2, 2), [(None, 4, 3), (None, 4, 3)]),
    ):
        layer.build(*shapes)
        weights = layer.weights
        assert layer.built
        assert weights
        layer(*[X for _ in shapes])
        assert [id(w) for w in layer.weights] == [id(w) for w in weights]
        twin = type(layer).from_config(layer.get_config())
        twin.build_from_config(layer.get_build_config())  # type: ignore[arg-type]
        assert [w.shape for w in twin.weights] == [w.shape for w in weights]


def test_given_weights() -> None:
    table = np.arange(6, dtype="float32").reshape(3, 2)
    assert_array_equal(numpy(L.Embedding(3, 2, weights=[table])([2])), [[4, 5]])
    source = L.Bidirectional(L.GRU(2))
    source(X)
    twin = L.Bidirectional(L.GRU(2), weights=source.get_weights())
    assert_array_equal(numpy(twin(X)), numpy(source(X)))


@register_keras_serializable("tests")
class LastTime(L.Layer):
    """No recurrent layer, but one that goes along time as such a layer does: the last of its times, scaled."""

    stateful = return_sequences = return_state = False

    def __init__(self, go_backwards: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.go_backwards = go_backwards

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight((), "ones")

    def call(self, inputs: Any) -> Any:
        return inputs[:, 0 if self.go_backwards else -1] * self.scale


def test_bidirectional_takes_a_layer_that_goes_along_time() -> None:
    layer = L.Bidirectional(LastTime())
    assert_array_equal(numpy(layer(X)), np.concatenate([X[:, -1], X[:, 0]], axis=-1))
    assert len(layer.weights) == 2
    assert_array_equal(numpy(L.Bidirectional.from_config(layer.get_config())(X)), numpy(layer(X)))
    with pytest.raises(ValueError, match=r"received 'x' \(str\), which is no layer"):
        L.Bidirectional("x")


KERAS = {
    "Dense": {"units": 2, "lora_rank": None, "quantization_config": None},
    "LayerNormalization": {"axis": [-1], "rms_scaling": False},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2, "use_gate": False, "sliding_window": None},
    "Embedding": {"input_dim": 2, "output_dim": 2, "activity_regularizer": None, "quantization_config": None},
}
"""Arguments as Keras 3.15 writes them."""


@pytest.mark.parametrize("name", KERAS)
def test_configs_of_keras_are_understood(name: str) -> None:
    layer = getattr(L, name).from_config({"name": "x", "trainable": True, "dtype": "float32", **KERAS[name]})
    assert layer.name == "x"


def test_an_unknown_argument_of_a_config_is_told_where_it_matters() -> None:
    with pytest.raises(TypeError, match=r"EinsumDense got unexpected argument.*gptq_unpacked_column_size"):
        L.EinsumDense.from_config({"equation": "ab,bc->ac", "output_shape": 2, "gptq_unpacked_column_size": 4})


def test_recurrent_layers_say_what_they_take() -> None:
    names = list(inspect.signature(L.LSTM).parameters)
    assert names[:4] == ["units", "activation", "recurrent_activation", "use_bias"]
    assert names[17:20] == ["seed", "return_sequences", "return_state"]
    assert list(inspect.signature(L.SimpleRNN).parameters)[-2:] == ["seed", "kwargs"]
    layer = L.GRU(3, "relu", dropout=0.25, name="memory", dtype="float64")
    assert (layer.units, layer.dropout, layer.cell.name, layer.cell.dtype) == (3, 0.25, "gru_cell", "float64")
    with pytest.raises(TypeError, match=r"unexpected argument.*unit"):
        L.GRU(3, unit=3)


def test_legacy_spellings() -> None:
    assert L.Convolution2D is L.Conv2D
    assert L.CuDNNLSTM is L.LSTM
    assert L.MaxPool2D is L.MaxPooling2D
    with pytest.warns(DeprecationWarning, match="alpha: negative_slope"):
        assert L.LeakyReLU(alpha=0.1).negative_slope == 0.1
    assert L.LSTM(2, implementation=1).units == 2
    assert L.Embedding(5, 2, input_length=7)._batch_input_shape == (None, 7)
    assert L.Dense(2, input_dim=3)._batch_input_shape == (None, 3)


def test_half_precision_keeps_its_statistics(backend: Backend) -> None:
    x = 1000 + X
    for layer in (L.LayerNormalization(dtype="mixed_bfloat16"), L.BatchNormalization(dtype="mixed_bfloat16")):
        assert ops.dtype(layer(x, **({"training": True} if "batch" in layer.name else {}))) == "bfloat16"
        assert {w.dtype for w in layer.weights} == {"float32"}
        assert all(np.isfinite(w.numpy()).all() for w in layer.weights)


def test_activity_penalty_of_attention_covers_its_projections(backend: Backend) -> None:
    layer = L.MultiHeadAttention(1, 2, activity_regularizer="l2", use_bias=False)
    layer(X, X)
    wq, wk, wv, _ = (w.numpy() for w in layer.weights)
    parts = [np.einsum("bti,ihd->bthd", X, w) for w in (wq, wk, wv)]
    expected = sum(0.01 * np.square(part).sum() for part in [*parts, numpy(layer(X, X))]) / len(X)
    assert_allclose(sum(float(loss) for loss in layer.losses), expected, rtol=1e-4)


def test_lambda() -> None:
    layer = L.Lambda(lambda x, training: x * 2 if training else x)
    assert_array_equal(numpy(layer(X, training=True)), 2 * X)
    assert layer.get_config()["function"]["class_name"] == "__lambda__"
    dense = L.Dense(1)
    with pytest.raises(NotImplementedError, match=r"`lambda` uses the variable 'dense' .*register_keras_serializable"):
        L.Lambda(lambda x: dense(x)).get_config()


# ---- errors ----------------------------------------------------------------------------------------------------------

ERRORS: tuple[tuple[Callable[[], Any], str], ...] = (
    (
        lambda: L.Bidirectional(L.Dense(2)),
        "wraps recurrent layers.*which lacks return_sequences, return_state, stateful",
    ),
    (lambda: L.Bidirectional(L.LSTM(2), "max"), "Unknown merge_mode 'max'.*'concat'"),
    (lambda: L.Bidirectional(L.LSTM(2), backward_layer=L.LSTM(2)), "must differ in `go_backwards`"),
    (
        lambda: L.Bidirectional(L.LSTM(2, return_state=True), backward_layer=L.LSTM(2, go_backwards=True)),
        "agree in `return_state`",
    ),
    (lambda: L.RNN(L.Dense(2)), "needs a cell: an object with `state_size`"),
    (lambda: L.LSTM(2)(X, initial_state=[X[:, 0, :2]]), r"states of sizes \[2, 2\]; received 1"),
    (lambda: L.LSTM(2, stateful=True)(L.Input((4, 3))), "is stateful and needs a fixed batch size"),
    (lambda: L.TimeDistributed(L.Dense(2))(X[:, 0]), "at least 3 axes; received the shape"),
    (lambda: L.TimeDistributed(L.Dense(2))(X, mask=MASK[:, :2]), r"mask with the first axes.*\(2, 4\)"),
    (lambda: L.TimeDistributed(X), "wraps a layer"),
    (lambda: L.Add()(X), "takes a list of at least 1 inputs; received"),
    (lambda: L.Add(name="plus")([X, X[..., :2]]), r"'plus' \(Add\).*do not broadcast"),
    (lambda: L.Subtract()([X, X, X]), "takes a list of 2 inputs; received 3"),
    (lambda: L.Concatenate(1)([X, X[..., :2]]), "agree in every axis but 1"),
    (lambda: L.Concatenate(5)([X, X]), "have no axis 5"),
    (lambda: L.Dot(0), "none of them 0"),
    (lambda: L.Dot(1)([X, X[:, :2]]), "differ in size"),
    (lambda: L.Reshape((5,), name="fold")(X), r"'fold' \(Reshape\).*12|'fold' \(Reshape\)"),
    (lambda: L.Conv1D(2, 2, strides=2, dilation_rate=2), "cannot both exceed 1"),
    (lambda: L.Conv1D(3, 2, groups=2), "must be divisible by groups"),
    (lambda: L.Conv1D(2, 2, groups=2)(X), "the 3 channels of the input must be divisible"),
    (lambda: L.Conv2D(2, 2, padding="causal"), "must be one of valid, same; received 'causal'"),
    (lambda: L.Conv2D(2, (2, 2, 2)), "`kernel_size` must be an int or 2 ints"),
    (lambda: L.Conv1D(2, 9)(X), "does not fit into a spatial size of 4"),
    (lambda: L.Cropping1D(2)(X), "leaves nothing of axis 1"),
    (lambda: L.ZeroPadding2D((1, 2, 3)), "for each axis an int or a pair"),
    (lambda: L.ZeroPadding1D(-1), "at least 0"),
    (lambda: L.UpSampling2D(2, interpolation="cubic"), "must be one of nearest, bilinear"),
    (lambda: L.BatchNormalization()(X, training=True, mask=MASK[0]), "one axis less than its inputs"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"max": 1}), "rmin <= rmax"),
    (lambda: L.LayerNormalization(5)(X), "axis 5 of its inputs, whose size is missing"),
    (lambda: L.Normalization(mean=1.0), "both `mean` and `variance`"),
    (lambda: L.Normalization().adapt([]), "needs data"),
    (lambda: L.MultiHeadAttention(2, 2)(X, X, X[:, :2]), "a value for each key"),
    (lambda: L.MultiHeadAttention(0, 2), "`num_heads` must be a positive int"),
    (lambda: L.Dropout(1.5), "between 0 and 1"),
    (lambda: L.Dropout(0.5, noise_shape=(0,)), "positive ints and None"),
    (lambda: L.GaussianDropout(1.0), "must be below 1"),
    (lambda: L.ReLU(max_value=-1.0), "`max_value` must be a number of at least 0"),
    (lambda: L.Embedding(0, 2), "`input_dim` must be a positive int"),
    (lambda: L.Lambda(X), "takes a function; received"),
)


@pytest.mark.parametrize(("mistake", "words"), ERRORS, ids=[words for _, words in ERRORS])
def test_errors(mistake: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mistake()


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("bad", [-1, 5])
def test_an_index_outside_the_table_is_named(backend: Backend, dtype: str, bad: int) -> None:
    layer = L.Embedding(5, 2, name="words")
    layer(np.array([[0, 4]], dtype))
    indices = np.array([[0, 4], [1, bad]], dtype)
    for given in (indices, ops.convert_to_tensor(indices)):
        with pytest.raises(ValueError, match=rf"'words'.*\(input_dim=5\); received the index {bad}"):
            layer(given)


@pytest.mark.parametrize("bad", [-1.5, np.nan, np.inf])
def test_an_index_that_is_no_whole_number_is_named(backend: Backend, bad: float) -> None:
    with pytest.raises(ValueError, match=rf"'words'.*expected whole numbers.*received the index {bad}"):
        L.Embedding(5, 2, name="words")(np.array([0.0, bad], "float32"))


def test_a_fraction_is_cut_to_an_index_as_in_keras_and_named(backend: Backend) -> None:
    layer = L.Embedding(5, 2, name="words")
    with pytest.warns(UserWarning, match="'words'.*received the index 1.5, which is cut"):
        found = layer(np.array([0.0, 1.5, -0.5], "float32"))
    assert_array_equal(numpy(found), numpy(layer(np.array([0, 1, 0]))))


def test_compiled_code_does_not_look_at_indices(backend: Backend) -> None:
    layer = L.Embedding(5, 2)
    table = numpy(layer(np.arange(5)))
    last = function(layer)
    if backend.execution.compiles:
        assert_array_equal(numpy(last(np.array([0, -1]))), table[[0, -1]])
    else:
        with pytest.raises(ValueError, match="received the index -1"):
            last(np.array([0, -1]))
