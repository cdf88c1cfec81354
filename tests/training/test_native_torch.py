"""PyTorch's idiom over our models: parameters, `backward`, `torch.optim`, modules; eager, and in steps that `fit` runs."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Model, Sequential, layers, ops, use_backend, value_and_grad
from polykeras.backend import registry
from polykeras.variables import kept_values, put_back

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("tensors are made on the host")]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True) * 0.5 + 0.1
TX, TY = torch.from_numpy(X), torch.from_numpy(Y)


@pytest.fixture(autouse=True)
def on_torch() -> Iterator[None]:
    with use_backend("torch") as backend:
        asked = backend.native.parameters.requested
        backend.native.parameters.requested = False
        yield
        backend.native.parameters.requested = asked


def network() -> Any:
    return Sequential([layers.Input((3,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])


def loss_of(model: Any) -> Any:
    return nn.functional.mse_loss(model(TX), TY)


def losses_of(model: Any, optimizer: Any, steps: int) -> list[float]:
    """Return the losses of a loop with an optimizer of torch's."""
    losses = []
    for _ in range(steps):
        model.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def falls(losses: list[float]) -> bool:
    return bool(np.isfinite(losses).all()) and losses[-1] < 0.6 * losses[0]


# ---- parameters --------------------------------------------------------------------------------------------------


def test_parameters_are_the_same_objects_each_time() -> None:
    model = network()
    parameters = list(model.parameters())
    assert [tuple(p.shape) for p in parameters] == [(3, 8), (8,), (8, 1), (1,)]
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in parameters)
    again = list(model.parameters())
    assert all(a is b for a, b in zip(parameters, again, strict=True))
    assert all(v.value is p for v, p in zip(model.weights, parameters, strict=True))
    assert [name for name, _ in model.named_parameters()] == [
        "layers.1.kernel", "layers.1.bias", "layers.2.kernel", "layers.2.bias",
    ]  # fmt: skip


def test_variables_see_what_native_code_does_and_the_other_way_round() -> None:
    model = network()
    first = next(model.parameters())
    with torch.no_grad():
        first.fill_(2.0)
    np.testing.assert_array_equal(model.weights[0].numpy(), np.full((3, 8), 2.0))
    model.weights[0].assign(np.full((3, 8), 3.0))
    assert first.detach().eq(3.0).all()
    first.data = torch.full((3, 8), 4.0)
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 8), 4.0))
    model.set_weights([np.zeros(v.shape, "float32") for v in model.weights])
    assert first.detach().eq(0.0).all()
    assert next(model.parameters()) is first


@pytest.mark.parametrize("change", ["fit", "train_on_batch", "load", "moved"])
def test_parameters_stay_the_same(change: str, tmp_path: Path) -> None:
    model = network()
    model.compile("sgd", "mse")
    parameters = list(model.parameters())
    before = [p.detach().clone() for p in parameters]
    if change == "fit":
        model.fit(X, Y, epochs=2, verbose=0)
    elif change == "train_on_batch":
        model.train_on_batch(X, Y)
    elif change == "load":
        other = network()
        other.save_weights(tmp_path / "w.weights.h5")
        model.load_weights(tmp_path / "w.weights.h5")
    else:
        with use_backend("numpy"):
            for v in model.weights:
                v.assign(np.asarray(v.value) + 1.0)
            assert {v.location for v in model.weights} == {"numpy"}
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters, strict=True))
    for p, v in zip(parameters, model.weights, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), v.numpy())


def test_a_value_that_was_read_becomes_the_parameter() -> None:
    model = network()
    kept = model.weights[0].value
    assert next(model.parameters()) is kept
    assert isinstance(kept, nn.Parameter)
    with torch.no_grad():
        kept.fill_(9.0)
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 8), 9.0))
    shared = torch.ones(6)
    one, other = keras.Variable(shared), keras.Variable(shared)
    network().zero_grad()
    assert one.value is not other.value
    with torch.no_grad():
        one.value.fill_(2.0)
    assert other.value.eq(1.0).all()
    assert shared.eq(1.0).all()


def test_copies_have_parameters_of_their_own() -> None:
    model = network()
    first = next(model.parameters())
    twin = copy.deepcopy(model)
    assert next(twin.parameters()) is not first
    assert torch.equal(next(twin.parameters()), first)


def test_state_dict() -> None:
    def normalized() -> Any:
        return Sequential([layers.Input((3,)), layers.Dense(4), layers.BatchNormalization()])

    one, other = normalized(), normalized()
    state = one.state_dict()
    assert list(state)[-2:] == ["layers.2.moving_mean", "layers.2.moving_variance"]
    held = list(other.parameters())
    one.set_weights([RNG.normal(size=v.shape) for v in one.weights])
    assert not other.load_state_dict(one.state_dict()).missing_keys
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(a is b for a, b in zip(held, other.parameters(), strict=True))
    assert [n for n, _ in other.named_buffers()] == ["layers.2.moving_mean", "layers.2.moving_variance"]
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({"layers.1.kernel": state["layers.1.kernel"]})


def test_freezing_is_one_thing() -> None:
    model = network()
    kernel = next(model.parameters())
    model.layers[0].trainable = False
    assert not kernel.requires_grad
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    model.requires_grad_(False)
    assert not model.trainable_variables
    model.requires_grad_()
    assert len(model.trainable_variables) == 4
    kernel.requires_grad = False  # native code's own word stays
    assert not next(model.parameters()).requires_grad


def test_to_keeps_objects_and_refuses_other_dtypes() -> None:
    model = network()
    parameters = list(model.parameters())
    assert model.to("cpu") is model
    assert model.float() is model
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    with pytest.raises(TypeError, match="dtype="):
        model.double()


def test_train_and_eval_say_what_training_is_where_nobody_does() -> None:
    model = Sequential([layers.Input((3,)), layers.Dropout(0.5)])
    ones = torch.ones(64, 3)
    assert torch.equal(model(ones), ones)
    assert model.train() is model
    assert model.training
    assert not torch.equal(model(ones), ones)
    assert torch.equal(model(ones, training=False), ones)
    np.testing.assert_array_equal(model.predict(np.ones((4, 3), "float32"), verbose=0), np.ones((4, 3)))
    model.eval()
    assert not model.training
    assert torch.equal(model(ones), ones)
    assert not torch.equal(model(ones, training=True), ones)


# ---- loops of one's own --------------------------------------------------------------------------------------------


def test_changes_in_place_while_the_value_is_elsewhere_are_refused() -> None:
    model = network()
    kernel = next(model.parameters())
    with use_backend("numpy"):
        model(X)
    with torch.no_grad():
        kernel.add_(1.0)
    with pytest.raises(RuntimeError, match="another backend"):
        model(TX)
    model(TX)
    with torch.no_grad():
        kernel.add_(1.0)
    np.testing.assert_array_equal(model.get_weights()[0], kernel.detach())


def test_loop_with_torch_optim_and_a_scheduler() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    losses = []
    for _ in range(30):
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    assert falls(losses)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05 / 8)
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(loss_of(model).item(), rel=1e-5)


class MakesItsOptimizer(Model):
    """Of values, where the step needs it."""

    torch_optimizer: Any = None

    def train_step(self, data: Any) -> Any:
        x, y = data
        if self.torch_optimizer is None:
            self.torch_optimizer = torch.optim.SGD([v.value for v in self.trainable_variables], 0.1)
        self.zero_grad()
        loss = nn.functional.mse_loss(self(x), y)
        loss.backward()
        self.torch_optimizer.step()
        return {"loss": loss}


def test_torch_optim_of_values_before_anything_was_asked() -> None:
    model = network()
    optimizer = torch.optim.SGD([v.value for v in model.trainable_variables], lr=0.1)
    assert falls(losses_of(model, optimizer, 30))


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
@pytest.mark.parametrize("before", [False, True], ids=["in the step", "before"])
def test_torch_optim_of_values_trains_in_fit_or_is_refused(before: bool, eagerly: bool) -> None:
    model = built(MakesItsOptimizer)
    if before:
        model.torch_optimizer = torch.optim.SGD([v.value for v in model.trainable_variables], lr=0.1)
    model.compile(run_eagerly=eagerly)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it runs as plain Python
        try:
            losses = model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history["loss"]
        except RuntimeError as error:
            assert "train nothing" in str(error)  # noqa: PT017
            assert not eagerly
        else:
            assert falls(losses)


def test_an_optimizer_of_torch_in_another_thread_is_let_alone() -> None:
    stepped: list[Any] = []

    def elsewhere() -> None:
        parameter = nn.Parameter(torch.ones(2))
        parameter.grad = torch.ones(2)
        try:
            torch.optim.SGD([parameter], lr=0.5).step()
        except BaseException as error:
            stepped.append(error)
        else:
            stepped.append(parameter.detach().tolist())

    class WithThread(KerasStep):
        def train_step(self, data: Any) -> Any:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            return super().train_step(data)

    model = built(WithThread)
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=True)
    model.fit(X, Y, epochs=1, batch_size=16, verbose=0)
    assert stepped
    assert all(found == [0.5, 0.5] for found in stepped)


def test_torch_optim_goes_on_after_fit_and_another_backend() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step() for _ in range(3)]
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    losses += [step() for _ in range(3)]
    with use_backend("numpy"):
        model(X)
    losses += [step() for _ in range(10)]
    assert falls(losses)


@pytest.mark.parametrize("asks", ["model", "another"])
def test_loop_with_our_optimizer(asks: str) -> None:
    model = network()
    # As in Keras's guide, the first forward pass comes before the first `zero_grad`: it is differentiable where native
    # code of this process has asked for parameters before, of whichever model.
    (model if asks == "model" else network()).zero_grad()
    optimizer = keras.optimizers.Adam(0.05)
    losses = []
    for _ in range(30):
        loss = keras.losses.MeanSquaredError()(TY, model(TX, training=True))
        model.zero_grad()
        loss.backward()
        weights = list(model.trainable_weights)
        gradients = [v.value.grad for v in weights]
        with torch.no_grad():
            optimizer.apply(gradients, weights)
        losses.append(loss.item())
    assert falls(losses)


def test_reads_are_plain_until_native_code_asks() -> None:
    layer = layers.Dense(2)
    assert not layer(TX).requires_grad
    np.asarray(layer(TX))
    layer.zero_grad()
    assert layer(TX).requires_grad
    with torch.no_grad():
        assert not layer(TX).requires_grad
    model = network()
    model.compile("sgd", "mse")
    assert isinstance(model.predict(X, verbose=0), np.ndarray)


# ---- gradients are those of value_and_grad ---------------------------------------------------------------------------

SEQUENCE = RNG.normal(size=(4, 5, 6)).astype("float32")
IMAGES = RNG.normal(size=(4, 8, 8, 3)).astype("float32")
LAYERS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "dense": (lambda: layers.Dense(4, activation="relu"), SEQUENCE),
    "conv": (lambda: layers.Conv2D(4, 3, strides=2, padding="same"), IMAGES),
    "transposed": (lambda: layers.Conv2DTranspose(4, 3, strides=2), IMAGES),
    "lstm": (lambda: layers.LSTM(4, return_sequences=True), SEQUENCE),
    "gru": (lambda: layers.Bidirectional(layers.GRU(3)), SEQUENCE),
    "attention": (lambda: Attend(), SEQUENCE),
    "batch norm": (lambda: layers.BatchNormalization(), IMAGES),
    "layer norm": (lambda: layers.LayerNormalization(), SEQUENCE),
    "dropout": (lambda: Sequential([layers.Dense(4), layers.Dropout(0.5, seed=3), layers.Dense(2)]), SEQUENCE),
    "embedding": (lambda: layers.Embedding(7, 4), RNG.integers(0, 7, (4, 5))),
}


class Attend(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3)

    def call(self, x: Any) -> Any:
        return self.attention(x, x)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_by_backward_equal_value_and_grad(name: str) -> None:
    make, data = LAYERS[name]
    layer = make()
    x = ops.convert_to_tensor(data)
    layer(x)
    start = [v.numpy() for v in layer.variables]

    def loss() -> Any:
        return ops.mean(ops.square(layer(x, training=True)) + layer(x, training=False))

    def restart() -> None:
        for variable, value in zip(layer.variables, start, strict=True):
            variable.assign(value)

    restart()
    value, expected = value_and_grad(loss, layer.trainable_variables)()
    after = [v.numpy() for v in layer.variables]
    restart()
    layer.zero_grad()
    native = loss()
    native.backward()
    assert native.item() == pytest.approx(float(value), rel=1e-6)
    assert len(expected) > 0
    for variable, gradient in zip(layer.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.value.grad, gradient, rtol=1e-5, atol=1e-7)
    for variable, array in zip(layer.variables, after, strict=True):
        np.testing.assert_allclose(variable.numpy(), array, rtol=1e-6)


# ---- steps that fit runs -----------------------------------------------------------------------------------------


class KerasStep(Model):
    """As Keras's guide writes it."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        loss.backward()
        trainable_weights = list(self.trainable_weights)
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class ForwardFirst(Model):
    """As Keras's own step for torch: gradients are asked for after the forward pass, and a loss goes into the logs."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        y_pred = self(x, training=True)
        loss = torch.mean((y_pred - y) ** 2)
        self.zero_grad()
        loss.backward()
        with torch.no_grad():
            self.optimizer.apply([v.value.grad for v in self.trainable_weights], self.trainable_weights)
        return {"loss": loss}


class ByAutograd(Model):
    """Nothing of ours is asked: torch says that there is nothing to differentiate."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = ((self(x, training=True) - y) ** 2).mean()
        gradients = torch.autograd.grad(loss, [v.value for v in self.trainable_variables])
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss.detach()}


class TwiceAStep(Model):
    """A variable that was assigned in a step is a leaf again, and gradients gather as they do on a parameter."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        for _ in range(2):
            self.zero_grad()
            loss = ((self(x, training=True) - y) ** 2).mean()
            loss.backward()
            self.optimizer.apply([v.value.grad for v in self.trainable_variables], self.trainable_variables)
        return {"loss": loss}


class InPlace(Model):
    """Descent by hand, in place."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        self.zero_grad()
        loss = ((self(x, training=True) - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for v in self.trainable_variables:
                v.value.sub_(0.05 * v.value.grad)
        return {"loss": loss}


def built(cls: Any, dropout: float = 0.0) -> Any:
    inputs = layers.Input((3,))
    hidden = layers.Dropout(dropout)(layers.Dense(8, activation="tanh")(inputs))
    return cls(inputs, layers.Dense(1)(hidden))


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
@pytest.mark.parametrize("cls", [KerasStep, ForwardFirst, ByAutograd, TwiceAStep, InPlace])
def test_native_steps_are_recorded(cls: Any, eagerly: bool) -> None:
    model = built(cls)
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eagerly)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one says where a step runs as plain Python
        history = model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history
    assert falls(history["loss"])


def test_a_native_step_does_what_the_neutral_one_does() -> None:
    native, neutral = built(KerasStep, 0.25), built(Model, 0.25)
    neutral.set_weights(native.get_weights())
    histories = []
    for model in (native, neutral):
        keras.utils.set_random_seed(3)
        model.layers[2].seed_generator.state.assign(model.layers[2].seed_generator.state.value * 0 + 7)
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        histories.append(model.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0).history)
    assert histories[0].keys() == histories[1].keys() == {"loss", "mae"}
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-4)
    for a, b in zip(native.get_weights(), neutral.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Subclassed(KerasStep):
    """Not built before its first step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = layers.Dense(8, activation="tanh"), layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.last(torch.tanh(self.first(x)))


def test_a_model_that_is_not_built() -> None:
    model = Subclassed()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    assert falls(model.fit(X, Y, epochs=20, batch_size=8, verbose=0).history["loss"])


class WithTorchOptimizer(Model):
    def compile(self, lr: float) -> None:
        super().compile()
        self.torch_optimizer = torch.optim.Adam(self.parameters(), lr=lr)

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = nn.functional.mse_loss(self(x, training=True), y)
        self.torch_optimizer.zero_grad()
        loss.backward()
        self.torch_optimizer.step()
        return {"loss": loss}


class AsksForParameters(Model):
    """A scaling of gradients by torch's own function, as Lightning does it."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        self.zero_grad()
        loss = nn.functional.mse_loss(self(x, training=True), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        with torch.no_grad():
            for p in self.parameters():
                p -= 0.1 * p.grad
        return {"loss": loss}


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
@pytest.mark.parametrize("cls", [WithTorchOptimizer, AsksForParameters])
def test_steps_with_objects_that_outlive_them_run_as_plain_python(cls: Any, eagerly: bool) -> None:
    model = built(cls)
    if cls is WithTorchOptimizer:
        model.compile(0.02)
        model.run_eagerly = eagerly
    else:
        model.compile(run_eagerly=eagerly)
    held = list(model.parameters())
    if eagerly:
        history = model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history
    else:
        with pytest.warns(RuntimeWarning, match="plain Python.*outlive"):
            history = model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history
    assert falls(history["loss"])
    assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
    for p, v in zip(held, model.weights, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), v.numpy())
    assert history["loss"][-1] == pytest.approx(loss_of(model).item(), rel=0.5)


def test_neutral_steps_of_a_user_see_no_leaves() -> None:
    class Neutral(Model):
        seen: list[bool] = []  # noqa: RUF012

        def train_step(self, data: Any) -> Any:
            x, y = data
            self.seen.append(self(x).requires_grad)
            loss, gradients = value_and_grad(lambda: ops.mean((self(x) - y) ** 2), self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    model = built(Neutral)
    model.compile(keras.optimizers.SGD(0.05))
    assert falls(model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history["loss"])
    assert not any(Neutral.seen)


class Gan(Model):
    def __init__(self) -> None:
        super().__init__()
        self.discriminator = Sequential([layers.Input((3,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
        self.generator = Sequential([layers.Input((2,)), layers.Dense(8, activation="relu"), layers.Dense(3)])
        self.seeds = keras.random.SeedGenerator(1)
        self.built = True

    def compile(self) -> None:
        super().compile()
        self.d_optimizer, self.g_optimizer = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real: Any) -> Any:
        fake = self.generator(keras.random.normal((real.shape[0], 2), seed=self.seeds))
        self.zero_grad()
        d_loss = self.loss_fn(torch.ones((real.shape[0], 1)), self.discriminator(real))
        d_loss = d_loss + self.loss_fn(torch.zeros((real.shape[0], 1)), self.discriminator(fake))
        d_loss.backward()
        with torch.no_grad():
            self.d_optimizer.apply(
                [v.value.grad for v in self.discriminator.trainable_weights], self.discriminator.trainable_weights
            )
        self.zero_grad()
        fake = self.generator(keras.random.normal((real.shape[0], 2), seed=self.seeds))
        g_loss = self.loss_fn(torch.ones((real.shape[0], 1)), self.discriminator(fake))
        g_loss.backward()
        with torch.no_grad():
            self.g_optimizer.apply(
                [v.value.grad for v in self.generator.trainable_weights], self.generator.trainable_weights
            )
        return {"d_loss": d_loss, "g_loss": g_loss}


def test_a_gan_trains_both_networks_in_recorded_steps() -> None:
    gan = Gan()
    gan.compile()
    before = gan.get_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = gan.fit(X, epochs=3, batch_size=8, verbose=0).history
    assert np.isfinite([history["d_loss"], history["g_loss"]]).all()
    assert all(not np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True))


# ---- modules -----------------------------------------------------------------------------------------------------


def test_our_layers_in_modules_of_torch() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(layers.Dense(8, activation="tanh"), nn.Linear(8, 4))
            self.norm = layers.BatchNormalization()
            self.head = layers.Dense(1)

        def forward(self, x: Any) -> Any:
            return self.head(self.norm(self.body(x)))

    net = Net()
    assert isinstance(net.head, nn.Module)
    net(TX)  # builds
    assert sorted(net.state_dict()) == [
        "body.0.bias", "body.0.kernel", "body.1.bias", "body.1.weight", "head.bias", "head.kernel",
        "norm.beta", "norm.gamma", "norm.moving_mean", "norm.moving_variance",
    ]  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    net.train()
    losses = []
    for _ in range(30):
        net.zero_grad()
        loss = nn.functional.mse_loss(net(TX), TY)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert falls(losses)
    assert np.abs(net.norm.moving_mean.numpy()).sum() > 0
    net.eval()
    assert torch.equal(net(TX[:4]), net(TX)[:4]) or torch.allclose(net(TX[:4]), net(TX)[:4], atol=1e-6)
    twin = Net()
    twin(TX)
    twin.load_state_dict(net.state_dict())
    twin.eval()
    assert torch.allclose(twin(TX), net(TX))
    assert repr(net)


class Mixed(Model):
    """Modules of torch as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])
        self.scale = nn.Parameter(torch.ones(1))
        self.head = layers.Dense(1)

    def call(self, x: Any) -> Any:
        x = self.body(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x) * self.scale


def test_modules_as_attributes_are_tracked_trained_and_saved(tmp_path: Path) -> None:
    model = Mixed()
    assert isinstance(model.body, layers.TorchModuleWrapper)
    inner = model.body.module[0].weight
    model.compile(keras.optimizers.Adam(0.02), "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses = model.fit(X, Y, epochs=30, batch_size=8, verbose=0).history["loss"]
    assert falls(losses)
    assert model.body.module[0].weight is inner
    assert any(p is inner for p in model.parameters())
    assert {"body.module.0.weight", "body.module.1.running_mean", "blocks.0.module.weight", "head.kernel"} <= set(
        model.state_dict()
    )
    assert model.body.module[1].running_mean.abs().sum() > 0
    assert model.body.module[1].num_batches_tracked == 4 * 30
    assert model.scale.numpy() != 1.0
    expected = model.predict(X, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = Mixed()
    other(TX)
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(other.predict(X, verbose=0), expected, rtol=1e-5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    loss_of(model).backward()
    assert inner.grad is not None
    optimizer.step()


def test_wrapped_modules_in_a_graph_and_in_files(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inputs = layers.Input((3,))
    hidden = layers.TorchModuleWrapper(module, name="wrapped")(inputs)
    assert hidden.shape == (None, 2)
    model = Model(inputs, layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="safe_mode"):
        keras.saving.load_model(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-6)


def test_a_wrapped_module_trains_or_not_as_layers_do() -> None:
    layer = layers.TorchModuleWrapper(nn.Dropout(0.5))
    ones = torch.ones(64, 3)
    assert not torch.equal(layer(ones, training=True), ones)
    assert torch.equal(layer(ones, training=False), ones)
    assert layer.module.training
    layer.eval()
    assert torch.equal(layer(ones), ones)


class Around(Model):
    """A model around a module."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.part = module

    def call(self, x: Any) -> Any:
        return self.part(x)


@pytest.mark.parametrize("by", ["copy", "pickle"])
def test_copies_of_wrapped_modules_have_modules_of_their_own(by: str) -> None:
    model = Around(nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1)))
    twin = copy.deepcopy(model) if by == "copy" else Around(pickle.loads(pickle.dumps(model.part)))
    assert twin.part.module is not model.part.module
    np.testing.assert_allclose(twin(TX).detach(), model(TX).detach(), rtol=1e-6)
    before = model.get_weights()
    twin.compile(keras.optimizers.SGD(0.1), "mse")
    twin.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(before[0], twin.get_weights()[0])
    np.testing.assert_array_equal(twin.part.module[0].weight.detach(), twin.get_weights()[0])
    np.testing.assert_allclose(twin.part.module.eval()(TX).detach(), twin.predict(X, verbose=0), rtol=1e-5)


def test_modules_that_are_put_into_containers_later_are_tracked() -> None:
    class Blocks(Model):
        def __init__(self) -> None:
            super().__init__()
            self.blocks, self.named = nn.ModuleList(), nn.ModuleDict()
            self.blocks.append(nn.Linear(3, 4))
            self.blocks.extend([nn.Tanh()])
            self.blocks.insert(0, nn.Identity())
            self.blocks += [nn.Linear(4, 4)]
            self.blocks[3] = nn.Linear(4, 5)
            self.named["head"] = nn.Linear(5, 1)
            self.named.update({"scale": nn.Linear(1, 1)})

        def call(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.named["scale"](self.named["head"](x))

    model = Blocks()
    assert [p.shape[0] for p in model.parameters()] == [4, 4, 5, 5, 1, 1, 1, 1]
    assert len(model.trainable_variables) == 8
    model.compile(keras.optimizers.Adam(0.02), "mse")
    assert falls(model.fit(X, Y, epochs=20, batch_size=8, verbose=0).history["loss"])
    assert len(copy.deepcopy(model).trainable_variables) == 8


def test_one_module_under_two_attributes_is_one_layer() -> None:
    class Twice(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.second = nn.Linear(3, 3)
            self.both = nn.Sequential(self.first.module, nn.Tanh())
            self.bias = self.first.module.bias

        def call(self, x: Any) -> Any:
            return self.both(self.second(self.first(x))) + self.bias

    model = Twice()
    assert model.first is model.second
    assert len(model.trainable_variables) == len(list(model.parameters())) == 2
    model.compile(keras.optimizers.SGD(0.05), "mse")
    assert falls(model.fit(X, np.repeat(Y, 3, 1), epochs=20, batch_size=8, verbose=0).history["loss"])
    np.testing.assert_array_equal(model.first.module.weight.detach(), model.first.get_weights()[0])
    np.testing.assert_allclose(model(TX).detach(), model.predict(X, verbose=0), rtol=1e-5)


def test_tied_weights_within_a_module() -> None:
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Tanh(), nn.Linear(3, 3, bias=False))
    module[2].weight = module[0].weight
    model = Around(module)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, np.repeat(Y, 3, 1), epochs=2, verbose=0)
    assert len(model.weights) == 1
    assert module[2].weight is module[0].weight
    np.testing.assert_allclose(module(TX).detach(), model.predict(X, verbose=0), rtol=1e-5)


def test_shapes_of_wrapped_modules_are_found_without_values() -> None:
    rows: list[Any] = []

    class Looks(nn.Module):
        def forward(self, x: Any) -> Any:
            rows.append((x.shape[0], type(x).__name__))
            return x.reshape(x.shape[0], -1)

    assert layers.TorchModuleWrapper(Looks())(layers.Input((2, 3))).shape == (None, 6)
    assert rows
    assert all(kind != "Tensor" for _, kind in rows)
    given = layers.TorchModuleWrapper(Looks(), output_shape=(None, 6))
    rows.clear()
    assert given(layers.Input((2, 3))).shape == (None, 6)
    assert not rows


def test_attributes_of_the_module_are_told_of() -> None:
    layer = layers.TorchModuleWrapper(nn.Linear(3, 2))
    with pytest.raises(AttributeError, match=r"\.module\.weight"):
        layer.weight  # noqa: B018
    with pytest.raises(AttributeError, match="nothing"):
        layer.nothing  # noqa: B018


def test_values_that_a_guard_keeps_are_not_changed_by_native_code() -> None:
    model = network()
    kept = kept_values(model.weights)
    before = model.get_weights()
    with torch.no_grad():
        next(model.parameters()).fill_(9.0)
    put_back(kept)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert next(model.parameters()).detach().numpy().tolist() == before[0].tolist()


def test_lazy_modules_are_refused() -> None:
    with pytest.raises(ValueError, match="not known yet"):
        layers.TorchModuleWrapper(nn.LazyLinear(3))


def test_functions_of_torch_take_variables() -> None:
    layer = layers.Dense(4)
    layer(TX)
    np.testing.assert_allclose(torch.matmul(TX, layer.kernel).detach(), X @ layer.kernel.numpy(), rtol=1e-5, atol=1e-6)


# ---- other backends, and torch's compiler --------------------------------------------------------------------------


def test_another_backend_says_what_is_needed() -> None:
    model = network()
    with use_backend("numpy"):
        with pytest.raises(RuntimeError, match=r"set_backend"):
            list(model.parameters())
        with pytest.raises(RuntimeError, match=r"set_backend"):
            model.zero_grad()
        layer = layers.TorchModuleWrapper(nn.Linear(3, 2))
        with pytest.raises(RuntimeError, match="numpy cannot call"):
            layer(X)


def test_in_a_compiled_function_parameters_are_refused() -> None:
    model = network()
    with pytest.raises(RuntimeError, match="outlive"):
        keras.function(lambda: len(list(model.parameters())))()


def test_torch_compile_around_a_model() -> None:
    model = network()
    list(model.parameters())
    compiled = torch.compile(model, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's compiler about what it leaves to Python
        loss = nn.functional.mse_loss(compiled(TX), TY)
    loss.backward()
    assert loss.item() == pytest.approx(loss_of(model).item(), rel=1e-6)
    assert all(p.grad is not None for p in model.parameters())


def test_the_current_backend_is_torch() -> None:
    assert registry.current().native.modules is not None


def test_torch_optim_of_values_trains_after_fit_too() -> None:
    model = network()
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    optimizer = torch.optim.SGD([v.value for v in model.trainable_variables], lr=0.1)
    assert all(v.value is p for v, p in zip(model.trainable_variables, model.parameters(), strict=True))
    held = optimizer.param_groups[0]["params"]
    model.fit(X, Y, epochs=1, verbose=0)
    assert falls(losses_of(model, optimizer, 15))
    assert all(v.value is p for v, p in zip(model.trainable_variables, held, strict=True))


class Penalty(Model):
    """A step that trains by a gradient penalty alone, and does not drop gradients first."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def call(self, x: Any) -> Any:
        return self.network(x)

    def train_step(self, data: Any) -> Any:
        x = torch.as_tensor(data).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.network(x, training=True).sum(), x, create_graph=True)
        loss = ((gradient.norm(dim=1) - 1.0) ** 2).mean()
        loss.backward()
        weights = self.trainable_weights
        with torch.no_grad():
            self.optimizer.apply([v.value.grad for v in weights[:-1]], weights[:-1])
        return {"loss": loss}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_gradient_penalty_alone(eagerly: bool) -> None:
    model = Penalty()
    model.compile(keras.optimizers.Adam(0.02), run_eagerly=eagerly)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of biases, which it does not depend on
        assert falls(model.fit(X, epochs=15, batch_size=8, verbose=0).history["loss"])


def test_threads_that_ask_first_at_once_find_one_parameter() -> None:
    for _ in range(20):
        model, barrier, found = network(), threading.Barrier(4), []

        def look(model: Any = model, barrier: Any = barrier, found: Any = found) -> None:
            with use_backend("torch"):
                barrier.wait()
                found.append([id(p) for p in model.parameters()])

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(ids == found[0] for ids in found)


class AsksNothing(Model):
    """A step of the user's that keeps nothing."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


@pytest.mark.parametrize("cls", [WithTorchOptimizer, AsksNothing])
def test_backups_tell_that_they_lack_the_state_of_an_optimizer_of_torch(cls: Any, tmp_path: Path) -> None:
    model = built(cls)
    model.compile(*([0.02] if cls is WithTorchOptimizer else ["sgd", "mse"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])
    told = [warning for warning in caught if "not in the backup" in str(warning.message)]
    assert len(told) == (1 if cls is WithTorchOptimizer else 0)


def test_a_wrapped_module_on_another_backend_needs_its_shape() -> None:
    inputs = layers.Input((3,))
    with use_backend("numpy"):
        with pytest.raises(RuntimeError, match="output_shape"):
            layers.TorchModuleWrapper(nn.Linear(3, 2))(inputs)
        assert layers.TorchModuleWrapper(nn.Linear(3, 2), output_shape=(None, 2))(inputs).shape == (None, 2)


def test_a_lstm_trains_where_gradients_are_off_outside_of_the_step() -> None:
    # As a library does that turns them off for the whole process, and on for its own loss.
    class Own(Sequential):
        def train_step(self, data: Any) -> dict[str, Any]:
            with torch.enable_grad():
                loss = ((self(data[0], training=True) - data[1]) ** 2).mean()
            self.zero_grad()
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply([weight.value.grad for weight in self.trainable_weights], self.trainable_weights)
            return {"loss": loss}

    x = RNG.normal(size=(64, 5, 3)).astype("float32")
    model = Own([keras.Input((5, 3)), layers.LSTM(4), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02))
    with torch.set_grad_enabled(False):
        losses = model.fit(x, x.sum((1, 2))[:, None] / 4, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
