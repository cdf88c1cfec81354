"""Callbacks that show or send what happens, and averages of weights in evaluation, on each backend."""

from __future__ import annotations

import json
import struct
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.small_model import X, Y, small_model
from polykeras import callbacks, layers, models, ops, optimizers
from polykeras.backend import Backend

# ---- TensorBoard -----------------------------------------------------------------------------------------------------


def events(folder: Path) -> list[Any]:
    """Return the events of a folder's file: records of a length, its checksum, data and their checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def written(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Return the values of a folder's file by tag, each with its step."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(step, value.simple_value) for step, value in written(folder)[tag]]


def test_tensorboard_has_the_epochs(backend: Backend, tmp_path: Path) -> None:
    model = small_model()
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True, write_steps_per_second=True)
    history = model.fit(X, Y, epochs=2, batch_size=4, validation_data=(X, Y), verbose=0, callbacks=[board]).history
    loss = scalars(tmp_path / "train", "epoch_loss")
    assert loss == [(0, pytest.approx(history["loss"][0])), (1, pytest.approx(history["loss"][1]))]
    seen = [value for _, value in scalars(tmp_path / "validation", "epoch_loss")]
    assert seen == pytest.approx(history["val_loss"])
    rate = [value for _, value in scalars(tmp_path / "train", "epoch_learning_rate")]
    assert rate == pytest.approx([float(np.asarray(model.optimizer.learning_rate))] * 2)
    assert all(value > 0 for _, value in scalars(tmp_path / "train", "epoch_steps_per_second"))
    updates = [step for step, _ in scalars(tmp_path / "validation", "evaluation_loss_vs_iterations")]
    assert updates == [len(X) // 4, 2 * len(X) // 4]


def test_tensorboard_has_weights_and_the_model(backend: Backend, tmp_path: Path) -> None:
    model = small_model()
    model.fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)])
    found = written(tmp_path / "train")
    for weight in model.weights:
        ((step, value),) = found[f"{weight.path}/histogram"]
        assert (step, value.histo.num) == (0, weight.numpy().size)
        assert value.histo.sum == pytest.approx(float(weight.numpy().sum()), abs=1e-5)
        assert f"{weight.path}/image" in found
    ((_, graph),) = found["keras"]
    assert graph.metadata.plugin_data.plugin_name == "graph_keras_model"
    assert json.loads(graph.tensor.string_val[0])["class_name"] == type(model).__name__


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (4, [4])])
def test_tensorboard_has_steps(tmp_path: Path, update_freq: Any, steps: list[int]) -> None:
    model, rows = small_model(), 6
    board = callbacks.TensorBoard(tmp_path, update_freq=update_freq, write_graph=False)
    model.fit(X[:rows], Y[:rows], epochs=2, batch_size=2, verbose=0, shuffle=False, callbacks=[board])
    assert [step for step, _ in scalars(tmp_path / "train", "batch_loss")] == steps


def test_tensorboard_has_embeddings(tmp_path: Path) -> None:
    model = models.Sequential([layers.Embedding(5, 3, name="words"), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(4).reshape(2, 2)
    model(x)
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "rows.tsv"})
    model.fit(x, np.zeros((2, 1)), verbose=0, callbacks=[board])
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "words.tsv"' in config
    assert 'metadata_path: "rows.tsv"' in config
    rows = np.loadtxt(tmp_path / "words.tsv")
    np.testing.assert_allclose(rows, model.layers[0].embeddings.numpy(), rtol=1e-6)
    with pytest.raises(ValueError, match="names \\['other'\\]"):
        callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"other": "x"}).set_model(model)
    for wrong in (-1, (3, 2), (0, 2), "1,2,3", "a", 1.5):
        with pytest.raises(ValueError, match="profile_batch"):
            callbacks.TensorBoard(tmp_path, profile_batch=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("batches", "expected"), [(1, (0, 1)), (2, (1, 2)), ((2, 5), (1, 5)), ("4,4", (3, 4)), (10, ())]
)
def test_a_profile_is_of_the_steps_asked_for(
    batches: Any, expected: tuple[int, ...], backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    model = models.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")

    def start(folder: str) -> Any:
        assert folder == str(tmp_path / "train")
        seen.append(int(model.optimizer.iterations))
        return lambda: seen.append(int(model.optimizer.iterations))

    monkeypatch.setattr(type(backend), "start_profile", lambda self, folder: start(folder))
    board = callbacks.TensorBoard(tmp_path, profile_batch=batches)
    # Four steps an epoch: the tenth is none of the run's.
    model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=2, epochs=2, verbose=0, callbacks=[board])
    assert tuple(seen) == expected


def test_profiles_of_the_frameworks(backend: Backend, tmp_path: Path) -> None:
    model = models.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    board = callbacks.TensorBoard(tmp_path, profile_batch=2)
    data = {"x": np.ones((8, 2)), "y": np.ones((8, 1)), "batch_size": 2, "verbose": 0, "callbacks": [board]}
    if type(backend).start_profile is Backend.start_profile:
        with pytest.warns(UserWarning, match="has no profiler") as warned:
            model.fit(**data)
        assert len(warned) == 1
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks' profilers
        model.fit(**data)
    written = [path.name for path in (tmp_path / "train").rglob("*") if path.is_file()]
    assert any(name.endswith((".xplane.pb", ".pt.trace.json")) for name in written)


# ---- a server --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    received: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    one = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=one.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{one.server_port}", received
    one.shutdown()
    thread.join()
    one.server_close()


def test_a_server_is_told(server: tuple[str, list[tuple[str, str, str]]]) -> None:
    root, received = server
    callbacks.RemoteMonitor(root, send_as_json=True).on_epoch_end(3, {"loss": np.float32(0.5), "a": np.ones(2)})
    callbacks.RemoteMonitor(root, "/here/", field="f").on_epoch_end(4, {"loss": 0.25})
    path, kind, body = received[0]
    assert (path, kind, json.loads(body)) == (
        "/publish/epoch/end/", "application/json", {"epoch": 3, "loss": 0.5, "a": [1.0, 1.0]}
    )  # fmt: skip
    assert received[1][0] == "/here/"
    assert received[1][2].startswith("f=%7B%22epoch%22")


def test_a_server_that_is_not_there_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="could not reach http://127.0.0.1:1"):
        callbacks.RemoteMonitor("http://127.0.0.1:1").on_epoch_end(0, {})


# ---- averages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_evaluated(backend: Backend, swap_on_epoch: bool) -> None:
    """The averages are computed here by hand, from the weights after each step."""
    model = models.Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5), "mse")
    x, y = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")
    swap = callbacks.SwapEMAWeights(swap_on_epoch)
    seen: list[float] = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(ops.sum(model.weights[0]))))
    history = model.fit(x, y, epochs=3, batch_size=2, verbose=0, validation_data=(x, y), callbacks=[swap, watch])
    weights = [0.5, 0.25, 0.125]  # w -= 0.25 * 2 * w
    averages = [0.5, 0.375, 0.25]
    assert history.history["val_loss"] == pytest.approx([a**2 for a in averages])
    assert seen == pytest.approx(averages if swap_on_epoch else weights)
    assert float(model.evaluate(x, y, verbose=0)) == pytest.approx(averages[-1] ** 2)


def test_averages_have_to_be_kept() -> None:
    with pytest.raises(ValueError, match="use_ema=True"):
        small_model().evaluate(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


# ---- the list, and names of Keras ------------------------------------------------------------------------------------


class Told(callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.calls.append(("epoch", epoch, logs))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.calls.append(("batch", batch, logs))


def test_a_list_calls_all_and_makes_what_is_missing() -> None:
    told, model = Told(), small_model()
    every = callbacks.CallbackList(told, add_history=True, add_progbar=True, model=model, epochs=2, verbose=0, steps=3)
    assert [type(c).__name__ for c in every.callbacks] == ["Told", "History", "ProgbarLogger"]
    every.on_train_begin()
    every.on_epoch_begin(0)
    every.on_train_batch_end(1, logs={"loss": 1.0})
    every.on_epoch_end(0, {"loss": 0.5})
    assert told.calls == [("epoch", 0, {}), ("batch", 1, {"loss": 1.0})]
    assert model.history.history == {"loss": [0.5]}
    assert told.model is model
    assert told.params == {"epochs": 2, "verbose": 0, "steps": 3} == every.params


def test_fit_calls_the_hooks_of_a_list_of_the_users_own() -> None:
    class Noting(callbacks.CallbackList):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            told.calls.append(("list", batch, logs))

        def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
            told.calls.append(("list", "end", logs))
            super().on_train_end(logs)

    told, model = Told(), small_model()
    history = model.fit(
        X, Y, batch_size=len(X), callbacks=Noting(told, add_history=True, model=model, epochs=1)
    ).history
    assert [(kind, what) for kind, what, _ in told.calls] == [("epoch", 0), ("list", 0), ("list", "end")]
    assert len(history["loss"]) == 1


def test_progress_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    small_model().fit(X, Y, epochs=2, verbose=2, callbacks=[callbacks.ProgbarLogger()])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in shown] == ["Epoch 1/2", "Epoch 2/2"]
    small_model().fit(X, Y, verbose=0, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out == ""


def test_what_watching_callbacks_know() -> None:
    stopping = callbacks.EarlyStopping("val_loss")
    assert stopping.monitor_op is ops.less
    assert callbacks.EarlyStopping("x", mode="max").monitor_op is ops.greater
    assert stopping.get_monitor_value({"val_loss": 2.0}) == 2.0
    assert not callbacks.ReduceLROnPlateau().in_cooldown()
    assert callbacks.CSVLogger("x.csv", ";").sep == ";"


def test_rates_of_several_optimizers() -> None:
    model = models.Sequential([layers.Input((1,)), layers.Dense(1)])
    one, other = optimizers.SGD(0.5, name="one"), optimizers.SGD(0.25, name="other")
    model.compile(optimizers.MultiOptimizer(optimizers.OptimizerMap(one, {".*bias": other})), "mse")
    halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=2, verbose=0, callbacks=[halve]).history
    assert history["learning_rate_one"] == [0.25, 0.125]
    assert history["learning_rate_other"] == [0.125, 0.0625]
