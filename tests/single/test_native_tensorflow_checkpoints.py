"""`tf.train.Checkpoint` over models, optimizers and metrics of polykeras, and variables of TensorFlow beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import Variable, layers, metrics, models, optimizers, random

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.usefixtures("on_tensorflow")]

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(16, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def made() -> tuple[Any, Any]:
    model = models.Sequential([layers.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])
    return model, optimizers.Adam(0.05)


def training(model: Any, optimizer: Any) -> Any:
    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X, training=True) - Y) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))  # noqa: B905
        return loss

    return step


def steps(step: Any, count: int) -> list[float]:
    return [float(step()) for _ in range(count)]


def test_a_loop_goes_on_where_it_was(tmp_path: Path) -> None:
    model, optimizer = made()
    step = training(model, optimizer)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(step=tf.Variable(0), model=model, optimizer=optimizer), str(tmp_path), max_to_keep=2
    )
    steps(step, 3)
    manager.checkpoint.step.assign_add(3)
    assert manager.checkpoint.model is model
    manager.save()
    after = steps(step, 3)
    manager.checkpoint.restore(manager.latest_checkpoint)  # the same objects, in a function that was traced
    assert steps(step, 3) == pytest.approx(after, rel=1e-6)
    assert int(optimizer.iterations) == 6

    model, optimizer = made()  # other ones, of which the optimizer has no variables yet
    checkpoint = tf.train.Checkpoint(step=tf.Variable(0), model=model, optimizer=optimizer)
    checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
    assert int(checkpoint.step) == 3
    assert steps(training(model, optimizer), 3) == pytest.approx(after, rel=1e-6)
    assert int(optimizer.iterations) == 6


@pytest.mark.parametrize("eagerly", [False, True])
def test_fit_goes_on_where_it_was(eagerly: bool, tmp_path: Path) -> None:
    def fitted(model: Any, epochs: int) -> list[float]:
        return model.fit(X, Y, epochs=epochs, batch_size=8, shuffle=False, verbose=0).history["loss"]

    model, optimizer = made()
    model.compile(optimizer, "mse", run_eagerly=eagerly)
    fitted(model, 2)
    path = tf.train.Checkpoint(model=model, optimizer=optimizer).save(str(tmp_path / "at"))
    after = fitted(model, 2)
    model, optimizer = made()
    model.compile(optimizer, "mse", run_eagerly=eagerly)
    tf.train.Checkpoint(model=model, optimizer=optimizer).restore(path)
    assert fitted(model, 2) == pytest.approx(after, rel=1e-5)


def test_whatever_has_variables(tmp_path: Path) -> None:
    def parts() -> dict[str, Any]:
        return {
            "metric": metrics.Mean(),
            "own": Variable(np.zeros(2, "float32")),
            "half": Variable(np.zeros(2), dtype="bfloat16"),
            "seed": random.SeedGenerator(1),
        }

    before, later = parts(), parts()
    before["metric"].update_state(X)
    before["own"].assign([1.0, 2.0])
    before["half"].assign([3.0, 4.0])
    before["seed"].next()
    path = tf.train.Checkpoint(**before).write(str(tmp_path / "parts"))
    tf.train.Checkpoint(**later).read(path).assert_consumed()
    assert float(later["metric"].result()) == pytest.approx(float(X.mean()), rel=1e-5)
    assert np.asarray(later["own"]).tolist() == [1.0, 2.0]
    assert np.asarray(later["half"]).astype("float32").tolist() == [3.0, 4.0]
    assert np.asarray(later["seed"].state).tolist() == np.asarray(before["seed"].state).tolist()


def test_a_model_as_the_root(tmp_path: Path) -> None:
    first, second = made()[0], made()[0]
    path = tf.train.Checkpoint(first).save(str(tmp_path / "root"))
    tf.train.Checkpoint(second).restore(path)
    np.testing.assert_array_equal(first.predict(X, verbose=0), second.predict(X, verbose=0))


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    path = tf.train.Checkpoint(model=made()[0]).save(str(tmp_path / "at"))
    with pytest.raises(ValueError, match=r"has 2 variables; the checkpoint holds 8.*save_weights"):
        tf.train.Checkpoint(model=models.Sequential([layers.Input((4,)), layers.Dense(1)])).restore(path)
    with pytest.raises(ValueError, match="has no variables yet for the 8 values"):
        tf.train.Checkpoint(model=models.Sequential([layers.Dense(1)])).restore(path)


def test_parts_that_are_set_later(tmp_path: Path) -> None:
    first, second = made()[0], made()[0]
    checkpoint = tf.train.Checkpoint()
    checkpoint.model = second
    checkpoint.model = first  # the one that counts
    checkpoint.step = tf.Variable(3)
    path = checkpoint.save(str(tmp_path / "later"))
    checkpoint = tf.train.Checkpoint(step=tf.Variable(0))
    checkpoint.model = second
    checkpoint.restore(path).assert_consumed()
    assert checkpoint.model is second
    assert int(checkpoint.step) == 3
    np.testing.assert_array_equal(first.predict(X, verbose=0), second.predict(X, verbose=0))


def test_parts_within_lists_and_dicts_are_refused() -> None:
    model = made()[0]
    for parts in ([model], {"a": model}, {"a": [tf.Variable(0), (model,)]}):
        with pytest.raises(ValueError, match="a Sequential within `parts`, a (list|dict).*Give each a name"):
            tf.train.Checkpoint(parts=parts)
        with pytest.raises(ValueError, match="a Sequential within `parts`"):
            tf.train.Checkpoint().parts = parts
    with pytest.raises(ValueError, match="a Sequential within `root`"):
        tf.train.Checkpoint([model])
    tf.train.Checkpoint(parts=[tf.Variable(0)], more={"a": tf.Variable(0)})  # TensorFlow's own


def test_of_values_that_wait_for_an_optimizer_the_last_count(tmp_path: Path) -> None:
    model, optimizer = made()
    checkpoint = tf.train.Checkpoint(optimizer=optimizer)
    before = checkpoint.write(str(tmp_path / "before"))
    step = training(model, optimizer)
    paths = []
    for _ in range(2):
        steps(step, 1)
        paths.append(checkpoint.write(str(tmp_path / f"{len(paths)}")))
    for order, expected in (((0, 0), 2), ((0, 1), 3), ((1, 0), 2)):
        model, optimizer = made()
        for i in order:
            tf.train.Checkpoint(optimizer=optimizer).read(paths[i])  # another checkpoint each time
        steps(training(model, optimizer), 1)
        assert int(optimizer.iterations) == expected
    model, optimizer = made()
    checkpoint = tf.train.Checkpoint(optimizer=optimizer)
    checkpoint.read(paths[1])
    checkpoint.read(before)
    steps(training(model, optimizer), 1)
    assert int(optimizer.iterations) == 1
