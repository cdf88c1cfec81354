"""Trains a small model around each case of the contract tests, shared between the workers, and tells its numbers.

Arguments: the number of samples in a batch, and names of groups (`layers`, `losses`, ...), each with an optional `:n` for
every nth case, or `=text` for those that have a text in their name.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import polykeras as keras
from contract.layer_cases import LAYER_CASES
from contract.loss_cases import CASES as LOSS_CASES
from contract.metric_cases import CASES as METRIC_CASES
from contract.optimizer_cases import CASES as OPTIMIZER_CASES
from helpers.layer_runner import LayerCase
from helpers.workers import tell
from polykeras import layers, losses, ops, regularizers
from polykeras.common import nested
from saving.random_graphs import Maker, own_layers

Trained = tuple[keras.Model, dict[str, Any]]
"""A compiled model, and the arguments of `fit`."""

STEPS = 2


def rows_of(array: Any, rows: int) -> np.ndarray:
    """Return an array with so many rows: those of the given one, again and again, floats a bit smaller each time."""
    array = np.asarray(array)
    found = array[np.arange(rows) % len(array)]
    if found.dtype.kind != "f":
        return found
    factors = 1 - 0.3 * np.arange(rows) / rows
    return (found * factors.reshape(-1, *(1,) * (found.ndim - 1))).astype(np.float32)


def head(outputs: Any) -> Any:
    """Return a layer's outputs as one array `(batch, 3)`, of moderate numbers."""
    flat = [layers.Reshape((-1,))(x) for x in nested.flatten(outputs) if x is not None]
    flat = [x if "float" in x.dtype else layers.Lambda(lambda v: ops.cast(v, "float32"))(x) for x in flat]
    joined = flat[0] if len(flat) == 1 else layers.Concatenate()(flat)
    return layers.Dense(3)(layers.LayerNormalization()(joined))


def around_layer(case: LayerCase, rows: int) -> Trained:
    """Return a model that consists of a layer and a head."""
    arrays: list[np.ndarray] = []

    def entered(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or not value.ndim:
            return value
        arrays.append(rows_of(value, rows))
        return keras.Input(arrays[-1].shape[1:], dtype=str(arrays[-1].dtype))

    given = nested.map_structure(entered, case.inputs)
    kwargs = nested.map_structure(entered, case.kwargs)
    inputs = [x for x in nested.flatten((given, kwargs)) if isinstance(x, keras.KerasTensor)]
    layer = case.make()
    outputs = layer(*given, **kwargs) if isinstance(given, tuple) else layer(given, **kwargs)
    model = keras.Model(inputs, head(outputs))
    model.compile(keras.optimizers.SGD(0.05, global_clipnorm=1.0), "mse")
    return model, {"x": arrays, "y": np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)}


def around_outputs(y_pred: Any, rows: int, **compiled: Any) -> Trained:
    """Return a model whose first predictions are given arrays."""
    x = rows_of(np.asarray(y_pred, np.float32), rows)
    inputs = keras.Input(x.shape[1:])
    outputs = inputs if x.ndim > 1 else layers.Reshape((1,))(inputs)
    outputs = layers.Dense(outputs.shape[-1], kernel_initializer="identity")(outputs)
    model = keras.Model(inputs, outputs if x.ndim > 1 else layers.Reshape(())(outputs))
    model.compile(keras.optimizers.SGD(0.001), **compiled)
    return model, {"x": x}


def with_loss(loss: Any, y_true: Any, y_pred: Any, rows: int, weighted: bool) -> Trained:
    """Return a model that is trained with a loss."""
    model, data = around_outputs(y_pred, rows, loss=loss)
    data["y"] = rows_of(y_true, rows)
    if weighted:
        data["sample_weight"] = np.linspace(0, 2, rows).astype(np.float32)
    return model, data


def squares(y_true: Any, y_pred: Any) -> Any:
    """Return the mean squares of predictions, a loss that needs no labels."""
    return ops.mean(ops.square(y_pred), axis=-1) if ops.ndim(y_pred) > 1 else ops.square(y_pred)


def with_metric(metric: Any, y_true: Any, y_pred: Any, rows: int) -> Trained:
    """Return a model that is trained with a metric, plain and weighted."""
    again = type(metric).from_config(metric.get_config() | {"name": "weighted"})
    metric = type(metric).from_config(metric.get_config() | {"name": "plain"})
    model, data = around_outputs(y_pred, rows, loss=squares, metrics=[metric], weighted_metrics=[again])
    return model, data | {"y": rows_of(y_true, rows), "sample_weight": np.linspace(0.1, 2, rows).astype(np.float32)}


def net(rows: int, optimizer: Any = "sgd", **options: Any) -> Trained:
    """Return a small dense net."""
    model = keras.Sequential([layers.Dense(4, activation="tanh", **options), layers.Dense(3)])
    model.compile(optimizer, "mse")
    rng = np.random.default_rng(2)
    x, y = (rng.normal(size=(rows, n)).astype(np.float32) for n in (5, 3))
    return model, {"x": x, "y": y}


# ---- groups --------------------------------------------------------------------------------------------------------

Cases = Iterator[tuple[str, Callable[[], Trained]]]


def of_layers(rows: int) -> Cases:
    """Yield all cases of layers but those of single images, which are no batches."""
    for case in LAYER_CASES:
        if "single" in case.id or case.id == "AugMix-inference-6x7x3":
            continue
        yield case.id, lambda case=case: around_layer(case, rows)


def of_losses(rows: int) -> Cases:
    """Yield all cases of losses, also with weights, and a loss with each reduction."""
    for name, (loss, y_true, y_pred, _) in LOSS_CASES.items():
        for weighted in (False, True):
            title = f"{name} weighted" if weighted else name
            yield title, lambda a=(loss, y_true, y_pred, rows, weighted): with_loss(*a)
    true, predicted = LOSS_CASES["mse"][1:3]
    for reduction in ("sum", "mean_with_sample_weight", "none"):
        made = losses.MeanSquaredError(reduction)
        for weighted in (False, True):
            yield f"{reduction} {weighted}", lambda a=(made, true, predicted, rows, weighted): with_loss(*a)


def of_metrics(rows: int) -> Cases:
    """Yield all cases of metrics."""
    for name, (metric, y_true, y_pred, _) in METRIC_CASES.items():
        yield name, lambda a=(metric, y_true, y_pred, rows): with_metric(*a)


def of_optimizers(rows: int) -> Cases:
    """Yield all cases of optimizers, and what all optimizers can do."""
    for name, (make, _) in OPTIMIZER_CASES.items():
        yield name, lambda make=make: net(rows, make())
    sgd = keras.optimizers.SGD
    yield "accumulated", lambda: net(rows, sgd(0.1, gradient_accumulation_steps=2))
    yield "averaged", lambda: net(rows, sgd(0.1, use_ema=True, ema_overwrite_frequency=2))
    yield "clipped", lambda: net(rows, sgd(0.1, clipnorm=0.1, weight_decay=0.1))
    yield "scaled", lambda: net(rows, keras.optimizers.LossScaleOptimizer(sgd(0.1)))


def of_regularizers(rows: int) -> Cases:
    """Yield regularizers of weights and of outputs."""
    made: dict[str, Callable[[], Any]] = {
        "l1": lambda: regularizers.L1(0.1),
        "l2": lambda: regularizers.L2(0.1),
        "l1_l2": lambda: regularizers.L1L2(0.1, 0.2),
        "orthogonal rows": lambda: regularizers.OrthogonalRegularizer(0.1),
        "orthogonal columns": lambda: regularizers.OrthogonalRegularizer(0.1, "columns"),
    }
    for name, make in made.items():
        for place in ("kernel_regularizer", "activity_regularizer"):
            yield f"{name} {place}", lambda place=place, make=make: net(rows, **{place: make()})


def of_graphs(rows: int) -> Cases:
    """Yield random graphs of layers, of models within models, and of the user's layers, with random numbers in them."""
    own = own_layers(keras)
    for seed in range(20):
        yield f"graph {seed}", lambda seed=seed: of_graph(own, seed, rows)


def of_graph(own: tuple[type, type], seed: int, rows: int) -> Trained:
    """Return a model around a random graph; outputs are summed up with dropout."""
    graph = Maker(keras, own, seed).model()
    outputs = [layers.Dropout(0.3)(output) for output in nested.flatten(graph.output)]
    model = keras.Model(graph.input, layers.Concatenate()(outputs) if len(outputs) > 1 else outputs[0])
    model.compile(keras.optimizers.Adam(0.01), "mae", metrics=["mse"])
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(rows, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    y = rng.normal(size=(rows, *model.output.shape[1:])).astype(np.float32)
    return model, {"x": keras.tree.pack_sequence_as(graph.input, x), "y": y}


def of_draws(rows: int) -> Cases:
    """Yield random numbers whose axis of samples is not the first one, or whose first axis is not that of samples."""
    for name, draw in DRAWS.items():
        yield name, lambda draw=draw: around_draw(draw, rows)


class Draws(layers.Layer):
    """A user's layer that adds random numbers."""

    def __init__(self, draw: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.draw, self.generator = draw, keras.random.SeedGenerator(3)

    def call(self, inputs: Any) -> Any:
        """Return `(batch, 4, 4)`."""
        return ops.add(inputs, self.draw(inputs, self.generator))


def around_draw(draw: Callable[[Any, Any], Any], rows: int) -> Trained:
    """Return a model with a layer that draws."""
    model = keras.Sequential([keras.Input((4, 4)), Draws(draw), layers.Flatten(), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    rng = np.random.default_rng(2)
    return model, {"x": rng.normal(size=(rows, 4, 4)).astype(np.float32), "y": np.ones((rows, 2), np.float32)}


def each_of(inputs: Any, *shape: int) -> tuple[int, ...]:
    """Return a shape that begins with the number of samples."""
    return (ops.shape(inputs)[0], *shape)


random = keras.random
DRAWS: dict[str, Callable[[Any, Any], Any]] = {
    "each element": lambda x, seed: random.normal(ops.shape(x), seed=seed),
    "one for all": lambda x, seed: random.normal((), seed=seed),
    "a matrix for all": lambda x, seed: random.normal((1, 4), seed=seed),
    "features first": lambda x, seed: ops.transpose(random.normal((4, *each_of(x, 4)), seed=seed), (1, 0, 2)),
    "folded": lambda x, seed: ops.reshape(random.normal((4 * ops.shape(x)[0], 4), seed=seed), each_of(x, 4, 4)),
    "gamma": lambda x, seed: random.gamma(each_of(x, 1, 4), 0.5, seed=seed),
    "beta": lambda x, seed: random.beta(each_of(x, 4, 1), 2.0, 0.5, seed=seed),
    "binomial": lambda x, seed: random.binomial(each_of(x, 1, 1), 40.0, 0.5, seed=seed),
    "classes": lambda x, seed: ops.cast(random.categorical(x[:, 0], 4, seed=seed), "float32")[:, None],
    "integers": lambda x, seed: ops.multiply(random.randint(each_of(x, 1, 1), 0, 5, "int32", seed), ops.ones_like(x)),
    "shuffled features": lambda x, seed: random.shuffle(x, axis=2, seed=seed),
    "dropped weights": lambda x, seed: random.dropout(ops.ones((4, 4)), 0.5, seed=seed)[None],
    "shuffled samples": lambda x, seed: random.shuffle(x, seed=seed),
    "pairs of samples": lambda x, seed: ops.mean(random.normal((ops.shape(x)[0],) * 2, seed=seed), 1)[:, None, None],
    "noise for samples and all": lambda x, seed: (
        random.normal(each_of(x, 4), seed=seed)[:, None] + random.normal((4, 4), seed=seed)
    ),
}


def of_applications(rows: int) -> Cases:
    """Yield small networks with batch normalization, dropout and more."""
    for name, more in (("MobileNet", {"alpha": 0.25}), ("MobileNetV3Small", {"minimalistic": True})):
        yield name, lambda name=name, more=more: application(getattr(keras.applications, name), rows, **more)


def application(make: Callable[..., keras.Model], rows: int, **more: Any) -> Trained:
    """Return a network for pictures of 32 x 32."""
    model = make(input_shape=(32, 32, 3), weights=None, classes=3, **more)
    model.compile(keras.optimizers.SGD(0.01, global_clipnorm=0.1), "categorical_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(3).uniform(-1, 1, (rows, 32, 32, 3)).astype(np.float32)
    return model, {"x": x, "y": np.eye(3, dtype=np.float32)[np.arange(rows) % 3]}


GROUPS = {
    "applications": of_applications,
    "draws": of_draws,
    "graphs": of_graphs,
    "layers": of_layers,
    "losses": of_losses,
    "metrics": of_metrics,
    "optimizers": of_optimizers,
    "regularizers": of_regularizers,
}


def numbers(make: Callable[[], Trained], batch_size: int) -> Any:
    """Return the numbers of a run, and a checksum of all bits of the weights; or the error that was raised."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    try:
        model, data = make()
        history = model.fit(**data, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history
        logs = model.evaluate(**data, batch_size=batch_size, verbose=0, return_dict=True)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    values = [np.asarray(v.numpy()) for v in model.variables]
    bits = 0
    for value in values:
        bits = zlib.crc32(np.ascontiguousarray(value).tobytes(), bits)
    sums = [float(np.abs(v).sum()) for v in values if v.dtype.kind == "f"]
    return {"history": _plain(history), "evaluated": _plain(logs), "weights": sums, "bits": bits}


def _plain(logs: Any) -> Any:
    return {
        k: [np.asarray(x, float).tolist() for x in v] if isinstance(v, list) else np.asarray(v, float).tolist()
        for k, v in logs.items()
    }


def main() -> None:
    batch_size, *chosen = sys.argv[1:]
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    found = {}
    for group in chosen:
        name, _, text = group.partition("=")
        name, _, every = name.partition(":")
        cases = list(GROUPS[name](STEPS * int(batch_size)))[:: int(every or 1)]
        found |= {f"{name}: {title}": numbers(make, int(batch_size)) for title, make in cases if text in title}
    tell(keras.distribution.distribution().data_shard_id, found)


main()
