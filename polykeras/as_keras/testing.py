"""`keras.src.testing`: the base class for tests that libraries take from Keras."""

# ruff: noqa: PT009, PT027  (a class of unittest)
from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backend, config, layers, losses, models, ops, random, saving, seeds, tree, variables
from polykeras.as_keras.accelerators import uses_tpu
from polykeras.graph import KerasTensor, is_keras_tensor

try:
    from absl.testing import parameterized
except ImportError:
    raise ImportError("keras.src.testing needs the package absl: pip install absl-py") from None

_SKIPPED = "__annotations__"


class TestCase(parameterized.TestCase):
    """A test case with checks of arrays, layers and configs. It starts with a clean session."""

    maxDiff = None

    def setUp(self) -> None:
        """Forget the names and states of other tests."""
        super().setUp()
        backend.clear_session(free_memory=False)
        config.disable_traceback_filtering()

    def get_temp_dir(self) -> str:
        """Return a folder that is removed after the test."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def convert_to_numpy(self, x: Any) -> np.ndarray:
        """Return an array of any kind, or a variable, as a NumPy array."""
        if ops.is_tensor(x) or isinstance(x, variables.Variable):
            return ops.convert_to_numpy(x)
        return np.asarray(x)

    # ---- arrays ------------------------------------------------------------------------------------------------

    def assertAllClose(
        self,
        actual: Any,
        desired: Any,
        atol: float = 1e-6,
        rtol: float = 1e-6,
        tpu_atol: float | None = None,
        tpu_rtol: float | None = None,
        msg: str | None = None,
    ) -> None:
        """Check that all numbers of two arrays are close."""
        if uses_tpu():
            atol, rtol = tpu_atol or atol, tpu_rtol or rtol
        pair = map(self.convert_to_numpy, (actual, desired))
        np.testing.assert_allclose(*pair, atol=atol, rtol=rtol, err_msg=msg or "")

    def assertNotAllClose(self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: Any = None) -> None:
        """Check that some numbers of two arrays are not close."""
        with self.assertRaises(AssertionError, msg=msg):
            self.assertAllClose(x1, x2, atol=atol, rtol=rtol)

    def assertAlmostEqual(
        self, actual: Any, desired: Any, decimal: int = 3, tpu_decimal: int | None = None, msg: str | None = None
    ) -> None:
        """Check that two arrays are equal up to some decimals."""
        decimal = tpu_decimal if tpu_decimal is not None and uses_tpu() else decimal
        pair = map(self.convert_to_numpy, (actual, desired))
        np.testing.assert_almost_equal(*pair, decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual: Any, desired: Any, msg: str | None = None) -> None:
        """Check that two arrays are equal."""
        np.testing.assert_array_equal(*map(self.convert_to_numpy, (actual, desired)), err_msg=msg or "")

    def assertLen(self, iterable: Any, expected_len: int, msg: str | None = None) -> None:  # type: ignore[override]
        """Check the number of items."""
        self.assertEqual(len(iterable), expected_len, msg=msg)

    def assertSparse(self, x: Any, sparse: bool = True) -> None:
        """Check whether an array is sparse."""
        self.assertEqual(getattr(x, "sparse", False) if is_keras_tensor(x) else "Sparse" in type(x).__name__, sparse)

    def assertRagged(self, x: Any, ragged: bool = True) -> None:
        """Check whether an array is ragged."""
        self.assertEqual(getattr(x, "ragged", False) if is_keras_tensor(x) else "Ragged" in type(x).__name__, ragged)

    def assertDType(self, x: Any, dtype: Any, msg: str | None = None) -> None:
        """Check the dtype of an array, or of a number."""
        found = backend.standardize_dtype(x.dtype if hasattr(x, "dtype") else type(x))
        self.assertEqual(found, backend.standardize_dtype(dtype), msg=msg)

    def assertFileExists(self, path: Any) -> None:
        """Check that a file exists."""
        self.assertTrue(Path(path).is_file(), f"there is no file {path}")

    # ---- configs -----------------------------------------------------------------------------------------------

    def run_class_serialization_test(self, instance: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Check that an object made from a config is like the original, and return it."""
        cls, settings = type(instance), instance.get_config()
        with saving.custom_object_scope(custom_objects or {}):
            again = cls.from_config(settings)
            revived = saving.deserialize_keras_object(saving.serialize_keras_object(instance))
        for other in (again, revived):
            self.assertEqual(_plain(settings), _plain(other.get_config()))
            self.assertEqual(set(dir(instance)) - {_SKIPPED}, set(dir(other)) - {_SKIPPED})
        return revived

    # ---- layers ------------------------------------------------------------------------------------------------

    def run_layer_test(
        self,
        layer_cls: Callable[..., Any],
        init_kwargs: dict[str, Any],
        input_shape: Any = None,
        input_dtype: Any = None,
        input_sparse: bool = False,
        input_ragged: bool = False,
        input_data: Any = None,
        call_kwargs: dict[str, Any] | None = None,
        expected_output_shape: Any = None,
        expected_output_dtype: Any = None,
        expected_output_sparse: bool = False,
        expected_output_ragged: bool = False,
        expected_output: Any = None,
        expected_num_trainable_weights: int | None = None,
        expected_num_non_trainable_weights: int | None = None,
        expected_num_non_trainable_variables: int | None = None,
        expected_num_seed_generators: int | None = None,
        expected_num_losses: int | None = None,
        supports_masking: bool | None = None,
        expected_mask_shape: Any = None,
        custom_objects: Mapping[str, Any] | None = None,
        run_training_check: bool = True,
        run_mixed_precision_check: bool = True,
        assert_built_after_instantiation: bool = False,
        tpu_atol: float | None = None,
        tpu_rtol: float | None = None,
    ) -> None:
        """Check a layer: its config; built, called on shapes and on data, trained, and in mixed precision.

        Arguments named `expected_...` are compared if they are given. Sparse and ragged inputs are not tested here.
        """
        if input_sparse or input_ragged:
            self.skipTest("this test makes no sparse or ragged inputs")
        call_kwargs = call_kwargs or {}
        counts = {
            "trainable_weights": expected_num_trainable_weights,
            "non_trainable_weights": expected_num_non_trainable_weights,
            "non_trainable_variables": expected_num_non_trainable_variables,
        }

        def make(**more: Any) -> Any:
            return layer_cls(**{**init_kwargs, **more})

        def call(layer: Any, inputs: Any) -> Any:
            return layer(**inputs, **call_kwargs) if isinstance(inputs, dict) else layer(inputs, **call_kwargs)

        def check_built(layer: Any) -> None:
            self.assertTrue(layer.built)
            for name, count in counts.items():
                if count is not None:
                    self.assertLen(getattr(layer, name), count, msg=f"Unexpected number of {name}")
            if expected_num_seed_generators is not None:
                self.assertLen(_seed_generators(layer), expected_num_seed_generators)

        def check_output(output: Any) -> None:
            if expected_output_shape is not None:
                shapes = tree.map_structure(lambda x: tuple(x.shape), output)
                self.assertEqual(_plain_shapes(shapes), _plain_shapes(expected_output_shape))
            if expected_output_dtype is not None:
                dtypes = [backend.standardize_dtype(x.dtype) for x in tree.flatten(output)]
                self.assertEqual(dtypes, tree.flatten(expected_output_dtype))

        self.run_class_serialization_test(make(), custom_objects)
        if supports_masking is not None:
            self.assertEqual(make().supports_masking, supports_masking)
        if assert_built_after_instantiation:
            self.assertTrue(make().built)
        if input_data is None and input_shape is None:
            return
        if input_data is None:
            input_data = _made(input_shape, input_dtype)
        shapes = tree.map_structure(lambda x: tuple(x.shape), input_data)
        symbolic = tree.map_structure(lambda x: KerasTensor(x.shape, backend.standardize_dtype(x.dtype)), input_data)

        layer = make()
        if isinstance(input_data, dict):
            layer.build(**{f"{name}_shape": shape for name, shape in shapes.items()})
        else:
            layer.build(shapes)
        check_built(layer)
        layer = make()
        check_output(call(layer, symbolic))
        check_built(layer)
        if expected_mask_shape is not None:
            self.assertEqual(tuple(layer.compute_mask(symbolic).shape), tuple(expected_mask_shape))
        layer = make()
        output = call(layer, input_data)
        check_output(output)
        if expected_output is not None:
            for found, wanted in zip(tree.flatten(output), tree.flatten(expected_output), strict=True):
                self.assertAllClose(found, wanted, tpu_atol=tpu_atol, tpu_rtol=tpu_rtol)
        if expected_num_losses is not None:
            self.assertLen(layer.losses, expected_num_losses)
        if run_training_check:
            _train(layer, input_data, output)
        if run_mixed_precision_check:
            self._check_mixed_precision(make(dtype="mixed_float16"), call, input_data, symbolic)

    def _check_mixed_precision(self, layer: Any, call: Callable[..., Any], data: Any, symbolic: Any) -> None:
        outputs = tree.flatten(call(layer, data))
        for found, told in zip(outputs, tree.flatten(call(layer, symbolic)), strict=True):
            self.assertEqual(backend.standardize_dtype(found.dtype), backend.standardize_dtype(told.dtype))
        for weight in layer.weights:
            if backend.is_float_dtype(weight.dtype):
                self.assertEqual(backend.standardize_dtype(weight.dtype), "float32")


def _train(layer: Any, inputs: Any, outputs: Any) -> None:
    """Train for one step with the sum of all outputs as the loss."""

    class _Model(models.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def call(self, x: Any, training: bool = False) -> Any:
            return self.layer(x, training=training)

    class _Sum(losses.Loss):
        def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return ops.sum(y_pred)

    model = _Model()
    model.compile(optimizer="sgd", loss=_Sum())
    data = tree.map_structure(ops.convert_to_numpy, (inputs, outputs))
    model.fit(iter([data]), steps_per_epoch=1, verbose=0)


def _made(shape: Any, dtype: Any) -> Any:
    """Return random arrays for a shape, or a tuple, list or dict of shapes."""
    if isinstance(shape, dict):
        kinds = dtype or {}
        return {name.removesuffix("_shape"): _made(part, kinds.get(name)) for name, part in shape.items()}
    if not all(isinstance(size, int) or size is None for size in shape):
        kinds = dtype or [None] * len(shape)
        return type(shape)(_made(part, kind) for part, kind in zip(shape, kinds, strict=True))
    return ops.cast(random.uniform(tuple(shape)) * 3, dtype or "float32")


def _plain(value: Any) -> Any:
    """Return a config as data that can be compared; tuples stay distinct from lists."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if hasattr(value, "get_config"):
        return type(value).__name__, _plain(value.get_config())
    return value.tolist() if isinstance(value, np.ndarray) else value


def _plain_shapes(shapes: Any) -> Any:
    if isinstance(shapes, Mapping):
        return {key: _plain_shapes(part) for key, part in shapes.items()}
    return [_plain_shapes(part) for part in shapes] if isinstance(shapes, (list, tuple)) else shapes


def _seed_generators(layer: layers.Layer) -> list[Any]:
    """Return the seed generators of a layer and of its inner layers."""
    found = (value for part in layer._flatten_layers() for value in vars(part).values())
    return list({id(each): each for each in found if isinstance(each, seeds.SeedGenerator)}.values())
