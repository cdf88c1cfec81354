"""Spectral normalization of another layer's kernel."""

from __future__ import annotations

from typing import Any

from polykeras import initializers, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import InputShape
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.wrappers.wrappers import Wrapper


@LAYERS.register()
class SpectralNormalization(Wrapper):
    """Wraps a layer, and divides its kernel by its largest singular value in each training call.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018,
    https://arxiv.org/abs/1802.05957. Power iteration tracks this value from call to call.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: the number of iterations in each call.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `power_iterations` is not a positive int, or the built layer has no such weight.

    Example:
        >>> from polykeras import layers
        >>> layers.SpectralNormalization(layers.Conv2D(4, 3))(layers.Input((8, 8, 3))).shape
        (None, 6, 6, 4)
    """

    sample_by_sample = True

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(power_iterations, "power_iterations", self)

    def build(self, input_shape: InputShape) -> None:
        """Build the wrapped layer, and make the vector for power iteration."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise ValueError(f"{self._title()} wraps a layer with a `kernel` or `embeddings`; received {self.layer!r}.")
        self.kernel = kernel
        self.kernel_shape = kernel.shape
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs: Array, training: bool | None = False) -> Array:
        """Return the outputs of the wrapped layer.

        Args:
            inputs: the inputs of the wrapped layer.
            training: whether to normalize the kernel first.
        """
        if training:
            vector, kernel = self.normalized_weights()
            self.vector_u.assign(vector)
            self.kernel.assign(kernel)
        return ops.cast(self.layer(inputs), self.compute_dtype)

    def normalized_weights(self) -> tuple[Any, Any]:
        """Return the iterated vector `(1, width)`, and the kernel divided by its largest singular value.

        A kernel of zeros has no such value: then both are returned unchanged.
        """
        weights = ops.reshape(self.kernel, (-1, self.kernel_shape[-1]))
        constant = ops.stop_gradient(weights)
        u = v = ops.stop_gradient(ops.convert_to_tensor(self.vector_u))
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(constant)), axis=None)
            u = ops.normalize(ops.matmul(v, constant), axis=None)
        size = ops.matmul(ops.matmul(v, weights), ops.transpose(u))
        zero = ops.all(ops.equal(weights, 0))
        kernel = ops.reshape(ops.divide(weights, ops.where(zero, 1, size)), self.kernel_shape)
        u = ops.where(zero, self.vector_u, u)
        return ops.cast(u, self.vector_u.dtype), ops.cast(kernel, self.kernel.dtype)
