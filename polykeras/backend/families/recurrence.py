"""Recurrent layers over a whole sequence, with their gradients written out."""

from __future__ import annotations

from typing import Any

from polykeras.backend.spec import Array, Family, op


class Recurrence(Family):
    """Recurrent layers that compute for all times at once whatever does not depend on the state.

    In the backward pass, only the propagation of the error through the states is a loop. The slopes of the gates before
    it, and the gradient of the kernel after it, are single operations over all times.
    """

    @op("x h c kernel recurrent_kernel bias", "float")
    def lstm(
        self, x: Array, h: Array, c: Array, kernel: Array, recurrent_kernel: Array, bias: Array | None = None
    ) -> tuple[Array, Array]:
        """Run a long short-term memory along time.

        At each time `i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias)`,
        `c = sigmoid(f) * c + sigmoid(i) * tanh(g)` and `h = sigmoid(o) * tanh(c)` (Hochreiter and Schmidhuber, 1997;
        Gers, Schmidhuber and Cummins, 2000).

        Args:
            x: `(time, batch, features)`; at least one time step.
            h: the output before the first time, `(batch, units)`.
            c: the memory before the first time, `(batch, units)`.
            kernel: `(features, 4 * units)`.
            recurrent_kernel: `(units, 4 * units)`.
            bias: `(4 * units,)`.

        Returns:
            The outputs at all times, `(time, batch, units)`, and the memory after the last time, `(batch, units)`.
        """
        z = self.matmul(x, kernel)
        z = z if bias is None else self.add(z, bias)
        return self._closed_gradient(self._lstm_and_gradient)(z, h, c, recurrent_kernel)

    @op("x h kernel recurrent_kernel bias", "float")
    def gru(self, x: Array, h: Array, kernel: Array, recurrent_kernel: Array, bias: Array | None = None) -> Array:
        """Run gated recurrent units along time.

        At each time, with `x_z, x_r, x_n = split(x @ kernel + bias[0])` and
        `s_z, s_r, s_n = split(h @ recurrent_kernel + bias[1])`: `z = sigmoid(x_z + s_z)`, `r = sigmoid(x_r + s_r)`,
        `n = tanh(x_n + r * s_n)` and `h = z * h + (1 - z) * n` (Cho et al., 2014, https://arxiv.org/abs/1406.1078, with
        the reset gate after the product, as in cuDNN).

        Args:
            x: `(time, batch, features)`; at least one time step.
            h: the output before the first time, `(batch, units)`.
            kernel: `(features, 3 * units)`.
            recurrent_kernel: `(units, 3 * units)`.
            bias: `(2, 3 * units)`.

        Returns:
            The outputs at all times, `(time, batch, units)`.
        """
        z = self.matmul(x, kernel)
        z = z if bias is None else self.add(z, bias[0])
        inner = self.zeros((self.shape(recurrent_kernel)[1],), self.dtype(z)) if bias is None else bias[1]
        return self._closed_gradient(self._gru_and_gradient)(z, h, recurrent_kernel, inner)

    def _lstm_and_gradient(self, x: Array, h: Array, c: Array, kernel: Array) -> tuple[tuple[Array, Array], Any]:
        units = self.shape(h)[-1]

        def step(carry: tuple[Array, Array], z: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
            h, c = carry
            z = self.add(z, self.matmul(h, kernel))
            gates = self.sigmoid(z)
            candidate = self.tanh(z[:, 2 * units : 3 * units])
            kept = self.multiply(gates[:, units : 2 * units], c)
            c = self.add(kept, self.multiply(gates[:, :units], candidate))
            h = self.multiply(gates[:, 3 * units :], self.tanh(c))
            return (h, c), (h, c, gates, candidate)

        (_, last), (outputs, memories, gates, candidates) = self.scan(step, (h, c), x)

        def gradient(d_outputs: Array, d_last: Array) -> tuple[Array, ...]:
            i, f, o = (gates[:, :, a * units : (a + 1) * units] for a in (0, 1, 3))
            before = self.concatenate([c[None], memories[:-1]], 0)
            reached = self.tanh(memories)
            # Slopes from the memory to the sums of the first three gates, and from the output to the fourth.
            first = [candidates * i * (1.0 - i), before * f * (1.0 - f), i * (1.0 - candidates * candidates)]
            slopes = self.concatenate([*first, reached * o * (1.0 - o)], 2)
            passed = o * (1.0 - reached * reached)
            back = self.transpose(kernel, (1, 0))

            def step(carry: tuple[Array, Array], at: tuple[Array, ...]) -> tuple[tuple[Array, Array], Any]:
                (dh, dc), (d_output, slopes, passed, f) = carry, at
                dh = self.add(dh, d_output)
                dc = self.add(dc, self.multiply(dh, passed))
                dz = self.multiply(slopes, self.concatenate([dc, dc, dc, dh], 1))
                return (self.matmul(dz, back), self.multiply(dc, f)), dz

            carry = (self.zeros_like(h), d_last)
            (dh, dc), dz = self.scan(step, carry, (d_outputs, slopes, passed, f), reverse=True)
            previous = self.concatenate([h[None], outputs[:-1]], 0)
            rows = (self.reshape(previous, (-1, units)), self.reshape(dz, (-1, 4 * units)))
            return dz, dh, dc, self.matmul(self.transpose(rows[0], (1, 0)), rows[1])

        return (outputs, last), gradient

    def _gru_and_gradient(self, x: Array, h: Array, kernel: Array, bias: Array) -> tuple[Array, Any]:
        units = self.shape(h)[-1]

        def step(h: Array, x: Array) -> tuple[Array, tuple[Array, ...]]:
            s = self.add(self.matmul(h, kernel), bias)
            gates = self.sigmoid(self.add(x[:, : 2 * units], s[:, : 2 * units]))
            update, reset = gates[:, :units], gates[:, units:]
            new = self.tanh(self.add(x[:, 2 * units :], self.multiply(reset, s[:, 2 * units :])))
            h = self.add(new, self.multiply(update, self.subtract(h, new)))
            return h, (h, gates, new, s[:, 2 * units :])

        _, (outputs, gates, news, sums) = self.scan(step, h, x)

        def gradient(d_outputs: Array) -> tuple[Array, ...]:
            previous = self.concatenate([h[None], outputs[:-1]], 0)
            update, reset = gates[:, :, :units], gates[:, :, units:]
            # The slopes from an output to the sum of the new value, and from there, or directly, to the parts of `s`.
            inner = (1.0 - update) * (1.0 - news * news)
            first = [(previous - news) * update * (1.0 - update), inner * sums * reset * (1.0 - reset)]
            slopes = self.concatenate([*first, inner * reset], 2)
            back = self.transpose(kernel, (1, 0))

            def step(dh: Array, at: tuple[Array, ...]) -> tuple[Array, Array]:
                d_output, slopes, update = at
                dh = self.add(dh, d_output)
                ds = self.multiply(slopes, self.concatenate([dh, dh, dh], 1))
                return self.add(self.multiply(dh, update), self.matmul(ds, back)), (dh, ds)

            start = self.zeros_like(h)
            d_first, (dh, ds) = self.scan(step, start, (d_outputs, slopes, update), reverse=True)
            dx = self.concatenate([ds[:, :, : 2 * units], self.multiply(dh, inner)], 2)
            rows = (self.reshape(previous, (-1, units)), self.reshape(ds, (-1, 3 * units)))
            return dx, d_first, self.matmul(self.transpose(rows[0], (1, 0)), rows[1]), self.sum(rows[1], 0)

        return outputs, gradient
