"""Discrete Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend.spec import Array, Family, op, required

Pair = tuple[Array, Array]
"""The real and the imaginary part of a complex array."""


class Fourier(Family):
    """Transforms along the last axis, on complex or real arrays. Keras's forms on pairs are composed from them."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def complex_fft(self, x: Array) -> Array:
        """Return the discrete Fourier transform of a complex array along its last axis, not scaled."""
        raise NotImplementedError

    @required("x")
    def complex_rfft(self, x: Array) -> Array:
        """Return the first `n // 2 + 1` terms of the transform of a real array along its last axis."""
        raise NotImplementedError

    @required("x")
    def complex_irfft(self, x: Array, n: int) -> Array:
        """Return the real array of length `n` whose `complex_rfft` is `x` (scaled by `1 / n`)."""
        raise NotImplementedError

    # ---- composed: complex arrays ------------------------------------------------------------------------------

    @op("x", "float")
    def angle(self, x: Array) -> Array:
        """Return the angles of complex numbers in radians, which are 0 or pi for real ones."""
        return self.arctan2(self.imag(x), self.real(x))

    @op("x")
    def conjugate(self, x: Array) -> Array:
        """Return the complex conjugate; a real array is returned as it is."""
        return self.complex(self.real(x), -self.imag(x)) if self.dtype(x).startswith("complex") else x

    @op("x")
    def conj(self, x: Array) -> Array:
        """Return the complex conjugate: `conjugate`."""
        return self.conjugate(x)

    @op("abs_ angle", "float")
    def polar(self, abs_: Array, angle: Array) -> Array:
        """Return complex numbers of a given size and angle in radians.

        Args:
            abs_: the sizes; float32 or float64.
            angle: in radians, of a shape that broadcasts with that of `abs_`.

        Returns:
            complex64, or complex128 for float64.
        """
        abs_, angle = self._both(abs_, angle)
        return self.complex(abs_ * self.cos(angle), abs_ * self.sin(angle))

    @op("x", "float")
    def view_as_complex(self, x: Array) -> Array:
        """Return complex numbers whose parts lie along the last axis of `x`, which has size 2.

        Raises:
            ValueError: if the last axis does not have size 2.
        """
        if self.shape(x)[-1:] != (2,):
            raise ValueError(f"view_as_complex needs a last axis of size 2; received shape {self.shape(x)}.")
        if self.dtype(x) in ("float16", "bfloat16"):  # there are no complex numbers of these
            x = self.cast(x, "float32")
        return self.complex(*self.unstack(x, axis=-1))

    @op("x")
    def view_as_real(self, x: Array) -> Array:
        """Return the parts of complex numbers along a new last axis of size 2."""
        return self.stack([self.real(x), self.imag(x)], -1)

    # ---- composed: pairs of real arrays ------------------------------------------------------------------------

    def _check_pair(self, x: Sequence[Array], name: str) -> Pair:
        if not isinstance(x, (tuple, list)) or len(x) != 2 or self.shape(x[0]) != self.shape(x[1]):
            got = [self.shape(part) for part in x] if isinstance(x, (tuple, list)) else type(x).__name__
            raise ValueError(f"{name} needs a pair (real, imaginary) of arrays of one shape; received {got}.")
        return x[0], x[1]

    def _pair(self, x: Array) -> Pair:
        return self.real(x), self.imag(x)

    @op("x", "float")
    def fft(self, x: Sequence[Array]) -> Pair:
        """Return the discrete Fourier transform along the last axis, not scaled.

        Args:
            x: a pair `(real, imaginary)` of float arrays of one shape.

        Returns:
            A pair of that shape.
        """
        return self._pair(self.complex_fft(self.complex(*self._check_pair(x, "fft"))))

    @op("x", "float")
    def ifft(self, x: Sequence[Array]) -> Pair:
        """Return the inverse of `fft`, on pairs `(real, imaginary)`."""
        # Exchanging the parts conjugates and multiplies by i; after the transform, it reverses both.
        real, imag = self._check_pair(x, "ifft")
        scale = 1.0 / self.shape(real)[-1]
        imag, real = self.fft((imag, real))
        return real * scale, imag * scale

    @op("x", "float")
    def fft2(self, x: Sequence[Array]) -> Pair:
        """Return the discrete Fourier transform along the last two axes, not scaled, on pairs `(real, imaginary)`."""
        rows = self.complex_fft(self.complex(*self._check_pair(x, "fft2")))
        return self._pair(self._transposed(self.complex_fft(self._transposed(rows))))

    @op("x", "float")
    def ifft2(self, x: Sequence[Array]) -> Pair:
        """Return the inverse of `fft2`, on pairs `(real, imaginary)`."""
        real, imag = self._check_pair(x, "ifft2")
        rows, columns = self.shape(real)[-2:]
        imag, real = self.fft2((imag, real))
        return real * (1.0 / (rows * columns)), imag * (1.0 / (rows * columns))

    @op("x", "float")
    def rfft(self, x: Array, fft_length: int | None = None) -> Pair:
        """Return the transform of a real array along the last axis: its first `fft_length // 2 + 1` terms.

        Args:
            x: a float array.
            fft_length: the last axis is cut or padded with zeros to this length; by default it stays.

        Returns:
            A pair `(real, imaginary)`.
        """
        return self._pair(self.complex_rfft(self._fitted(x, fft_length or self.shape(x)[-1])))

    @op("x", "float")
    def irfft(self, x: Sequence[Array], fft_length: int | None = None) -> Array:
        """Return the real array whose `rfft` is `x`.

        Args:
            x: a pair `(real, imaginary)`.
            fft_length: the length of the result; by default `2 * (n - 1)` for `n` terms.
        """
        real, imag = self._check_pair(x, "irfft")
        length = fft_length or 2 * (self.shape(real)[-1] - 1)
        terms = length // 2 + 1
        return self.complex_irfft(self.complex(self._fitted(real, terms), self._fitted(imag, terms)), length)

    def _fitted(self, x: Array, length: int) -> Array:
        """Return `x` with its last axis cut or padded with zeros to `length`."""
        size, last = self.shape(x)[-1], self.ndim(x) - 1
        if size >= length:
            return x if size == length else self._axis_slice(x, last, 0, length)
        return self.constant_pad(x, [(0, 0)] * last + [(0, length - size)])
