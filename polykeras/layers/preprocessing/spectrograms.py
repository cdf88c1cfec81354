"""Layers that turn sound into spectrograms."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polykeras import config, initializers, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of
from polykeras.common.types import InputShape
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


def _mel(hertz: Any) -> Any:
    """Return frequencies on the mel scale of the Hidden Markov Model Toolkit."""
    return 1127.0 * np.log(1.0 + np.asarray(hertz, "float64") / 700.0)


@LAYERS.register()
class MelSpectrogram(DataLayer):
    """Turns sound into a spectrogram: its power over time, in bands of equal width on the mel scale.

    Args:
        fft_length: the length of the Fourier transform.
        sequence_stride: the distance between frames.
        sequence_length: the length of a frame; `fft_length` by default.
        window: the weights of a frame: `"hann"`, `"hamming"`, an array, or None.
        sampling_rate: the number of samples in a second.
        num_mel_bins: the number of bands.
        min_freq: the lowest frequency, in hertz.
        max_freq: the highest frequency, in hertz; half the sampling rate by default.
        power_to_db: whether the result is in decibels.
        top_db: the smallest value, in decibels below the largest one of the batch.
        mag_exp: the exponent of the magnitudes: 1 for amplitude, 2 for power.
        min_power: the smallest power; smaller values are raised to it.
        ref_power: the power that corresponds to 0 decibels.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the frame is longer than the transform.

    Example:
        >>> from polykeras import layers, ops
        >>> tuple(layers.MelSpectrogram(num_mel_bins=64)(ops.ones((2, 16000))).shape)
        (2, 64, 32)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length = sequence_length or fft_length
        if fft_length < self.sequence_length:
            raise ValueError(
                f"MelSpectrogram: `fft_length` ({fft_length}) must be at least `sequence_length` ({sequence_length})."
            )
        self.window, self.sampling_rate, self.num_mel_bins = window, sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs: Array) -> Array:
        """Return the spectrogram.

        Args:
            inputs: sound, an array `(time,)` or `(batch, time)`.

        Returns:
            An array `(..., num_mel_bins, frames)`.
        """
        dtype = self.compute_dtype if self.compute_dtype == "float64" else "float32"
        inputs = ops.cast(ops.convert_to_tensor(inputs), dtype)
        real, imaginary = ops.stft(
            inputs, self.sequence_length, self.sequence_stride, self.fft_length, window=self.window, center=True
        )
        magnitude = ops.sqrt(ops.add(ops.square(real), ops.square(imaginary)))
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, self.fft_length // 2 + 1, self.sampling_rate, self.min_freq, self.max_freq, dtype
        )
        outputs = ops.matmul(ops.power(magnitude, self.mag_exp), bands)
        if self.power_to_db:
            reference = np.log10(max(abs(self.ref_power), self.min_power))
            decibels = 10.0 * (ops.log10(ops.maximum(outputs, self.min_power)) - float(reference))
            outputs = ops.maximum(decibels, ops.max(decibels) - self.top_db)
        return ops.cast(ops.swapaxes(outputs, -1, -2), self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> Array:
        """Return the matrix that maps frequencies to bands on the mel scale, which are adjacent triangles.

        Args:
            num_mel_bins: the number of bands.
            num_spectrogram_bins: the number of frequencies, from 0 to half the sampling rate.
            sampling_rate: the number of samples in a second.
            lower_edge_hertz: the start of the first band.
            upper_edge_hertz: the end of the last band.
            dtype: the dtype of the result.

        Returns:
            An array `(num_spectrogram_bins, num_mel_bins)`.
        """
        frequencies = _mel(np.linspace(0.0, sampling_rate / 2.0, num_spectrogram_bins))[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
        bands = np.maximum(0.0, np.minimum(rising, falling))
        bands[0] = 0.0  # no band contains the mean of the signal
        return ops.convert_to_tensor(bands, dtype)


@LAYERS.register()
class STFTSpectrogram(Layer):
    """Computes the short-time Fourier transform of signals with convolutions, whose kernels can be trained.

    Args:
        mode: the result: `"log"` (the logarithm of the magnitude), `"magnitude"`, `"psd"` (power spectral density),
            `"real"`, `"imag"`, `"angle"`, or `"stft"` (the real parts, then the imaginary parts).
        frame_length: the length of a frame.
        frame_step: the distance between frames; half a frame by default.
        fft_length: the length of the transform; by default the next power of two.
        window: the weights of a frame, see `initializers.STFT`.
        periodic: whether the window is periodic rather than symmetric.
        scaling: the scaling of the window: `"density"`, `"spectrum"` or None.
        padding: `"valid"` or `"same"`.
        expand_dims: whether channels get an axis of their own, as in images, instead of being joined with the bands.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is invalid, or the lengths do not fit each other.

    Example:
        >>> from polykeras import layers, ops
        >>> tuple(layers.STFTSpectrogram(frame_length=256, fft_length=512)(ops.ones((3, 16000, 1))).shape)
        (3, 124, 257)
    """

    sample_by_sample = True

    def __init__(
        self,
        mode: Literal["log", "magnitude", "psd", "real", "imag", "angle", "stft"] = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: Literal["density", "spectrum"] | None = "density",
        padding: Literal["valid", "same"] = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        one_of(mode, _MODES, "STFTSpectrogram: `mode`")
        if padding not in ("valid", "same"):
            raise ValueError(f"STFTSpectrogram: `padding` must be 'valid' or 'same'; received {padding!r}.")
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(f"STFTSpectrogram: `frame_step` must be in 1..{frame_length}; received {frame_step}.")
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                f"STFTSpectrogram: `fft_length` must be at least `frame_length`, {frame_length}; received {fft_length}."
            )
        initializers.STFT("real", window, scaling, periodic)  # checks the arguments
        self.mode, self.frame_length, self.frame_step, self.fft_length = mode, frame_length, frame_step, fft_length
        self.window, self.periodic = window, periodic
        self.scaling: Literal["density", "spectrum"] | None = scaling
        self.padding, self.expand_dims = padding, expand_dims
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape: InputShape) -> None:
        """Make the kernels that the mode needs."""
        bands = (self.fft_length or 2 ** (self.frame_length - 1).bit_length()) // 2 + 1
        for side in ("real", "imag"):
            if self.mode not in ("real", "imag") or self.mode == side:
                start = initializers.STFT(side, self.window, self.scaling, self.periodic)
                name = f"{side}_kernel"
                setattr(self, name, self.add_weight((self.frame_length, 1, bands), start, name=name))

    def call(self, inputs: Array) -> Array:
        """Return the transform.

        Args:
            inputs: an array `(batch, time, channels)`, or `(batch, channels, time)` with `"channels_first"`.

        Returns:
            With `"channels_last"`, an array `(batch, frames, channels * bands)`, or `(batch, frames, bands, channels)`
            with `expand_dims`; otherwise `(batch, channels * bands, frames)`, or `(batch, channels, frames, bands)`.
        """
        if self.data_format == "channels_last":
            inputs = ops.swapaxes(inputs, 1, 2)
        real, imaginary = (self._convolved(inputs, side) for side in ("real_kernel", "imag_kernel"))
        outputs = self._combined(real, imaginary)  # (batch, channels, frames, bands)
        batch, channels, frames, bands = ops.shape(outputs)
        if self.expand_dims:
            return ops.transpose(outputs, (0, 2, 3, 1)) if self.data_format == "channels_last" else outputs
        if self.data_format == "channels_last":
            return ops.reshape(ops.transpose(outputs, (0, 2, 1, 3)), (batch, frames, channels * bands))
        return ops.reshape(ops.transpose(outputs, (0, 1, 3, 2)), (batch, channels * bands, frames))

    def _convolved(self, inputs: Any, name: str) -> Any:
        if not hasattr(self, name):
            return None
        batch, channels, time = ops.shape(inputs)
        step = self.frame_step or self.frame_length // 2
        kernel = ops.cast(ops.convert_to_tensor(getattr(self, name)), inputs.dtype)
        x = ops.reshape(inputs, (batch * channels, time, 1))
        outputs = ops.conv(x, kernel, strides=step, padding=self.padding, data_format="channels_last")
        return ops.reshape(outputs, (batch, channels, *ops.shape(outputs)[1:]))

    def _combined(self, real: Any, imaginary: Any) -> Any:
        if self.mode in ("real", "imag"):
            return real if imaginary is None else imaginary
        if self.mode == "angle":
            return ops.arctan2(imaginary, real)
        if self.mode == "stft":
            return ops.concatenate([real, imaginary], -1)
        power = ops.add(ops.square(real), ops.square(imaginary))
        if self.mode == "psd":  # frequencies between the first and last one stand for their mirror image too
            bands = ops.shape(power)[-1]
            twice = np.array([1.0] + [2.0] * (bands - 2) + [1.0] if bands > 1 else [1.0], "float32")
            return ops.multiply(power, ops.cast(ops.convert_to_tensor(twice), power.dtype))
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, config.epsilon()))
