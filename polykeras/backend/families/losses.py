"""Losses of probabilities and sequences, without a reduction to one number."""

from __future__ import annotations

from typing import Literal

import numpy as np

from polykeras import config
from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.beam_search import beam_search
from polykeras.backend.spec import Array, Family, op

_LOWEST = float(np.finfo(np.float32).min)
_NEVER = -1e5  # the logarithm of a path's probability of 0; finite, so that gradients are


class Losses(Family):
    """Cross-entropies, exact if computed from logits. Probabilities are first moved `epsilon` away from 0 and 1."""

    def _check_same_shape(self, target: Array, output: Array, name: str) -> None:
        if self.shape(target) != self.shape(output):
            raise ValueError(
                f"{name}: `target` and `output` must have one shape; received {self.shape(target)} and "
                f"{self.shape(output)}."
            )

    @op("target output", "float")
    def binary_crossentropy(self, target: Array, output: Array, from_logits: bool = False) -> Array:
        """Return `-target * log(p) - (1 - target) * log(1 - p)`, elementwise.

        Args:
            target: values in [0, 1].
            output: the probabilities `p`, of the same shape; with `from_logits`, their logits.
            from_logits: see `output`.
        """
        self._check_same_shape(target, output, "binary_crossentropy")
        if from_logits:
            # Computed in two halves, so that an infinite logit on the wrong side costs inf, not inf - inf. At a tie of
            # `maximum` and at 0 of `abs`, the halved gradients add up to the right one, 1/2 - target.
            wrong = (1.0 - target) * self.maximum(output, 0.0) + target * self.maximum(-output, 0.0)
            return wrong + self.log1p(self.exp(-self.abs(output)))
        t, p = self._wide(target), self._clipped(self._wide(output))
        return self.cast(-(t * self.log(p) + (1.0 - t) * self.log1p(-p)), self.dtype(output))

    def _clipped(self, p: Array) -> Array:
        return self.clip(p, config.epsilon(), 1.0 - config.epsilon())

    @op("target output", "float")
    def categorical_crossentropy(
        self, target: Array, output: Array, from_logits: bool = False, axis: int = -1
    ) -> Array:
        """Return `-sum(target * log(p))` over the classes.

        Args:
            target: the true distribution.
            output: the probabilities `p`, of the same shape, divided by their sum here; with `from_logits`, their
                logits.
            from_logits: see `output`.
            axis: the axis of the classes.
        """
        self._check_same_shape(target, output, "categorical_crossentropy")
        output, dtype = self._wide(output), self.dtype(output)
        if from_logits:  # for a class masked with -inf, 0 times the logarithm must be 0
            logs = self.maximum(self.log_softmax(output, axis), _LOWEST)
        else:
            logs = self.log(self._clipped(output / self.sum(output, axis, True)))
        return self.cast(-self.sum(self.cast(target, self.dtype(logs)) * logs, axis), dtype)

    @op("output", "float", others="target")
    def sparse_categorical_crossentropy(
        self, target: Array, output: Array, from_logits: bool = False, axis: int = -1
    ) -> Array:
        """Return `-log(p[target])` along the axis of the classes; 0 where `target` is not a class.

        Args:
            target: integers, of the shape of `output` without its classes (or with a last axis of size 1).
            output: as for `categorical_crossentropy`.
            from_logits: as for `categorical_crossentropy`.
            axis: the axis of the classes.

        Raises:
            ValueError: if the shapes do not match.
        """
        shape = self.shape(output)
        place = canonical_axis(axis, len(shape))
        if self.ndim(target) == len(shape) and self.shape(target)[-1] == 1:
            target = self.squeeze(target, -1)
        if self.shape(target) != shape[:place] + shape[place + 1 :]:
            raise ValueError(
                "sparse_categorical_crossentropy: `target` must have the shape of `output` without its axis "
                f"{axis}; received {self.shape(target)} and {shape}."
            )
        target = self.cast(target, "int32")
        hot = self._hot(target, shape[place], place)
        output, dtype = self._wide(output), self.dtype(output)
        if from_logits:
            logs = self.sum(self.where(hot, self.log_softmax(output, place), 0.0), place)
        else:  # only one logarithm is needed
            share = self.sum(self.where(hot, output, 0.0), place) / self.sum(output, place)
            known = self.logical_and(target >= 0, target < shape[place])
            logs = self.where(known, self.log(self._clipped(share)), 0.0)
        return self.cast(-logs, dtype)

    @op("x1 x2", "float")
    def psnr(self, x1: Array, x2: Array, max_val: float) -> Array:
        """Return the peak signal-to-noise ratio of two signals in decibels.

        Args:
            x1: a signal.
            x2: another signal, of the same shape.
            max_val: the largest value a signal can have.
        """
        self._check_same_shape(x1, x2, "psnr")
        return 20.0 * self.log10(self.cast(self.asarray(max_val), self.dtype(x1))) - 10.0 * self.log10(
            self.mean(self.square(x1 - x2))
        )

    # ---- sequences ---------------------------------------------------------------------------------------------

    @op("output", "float", others="target target_length output_length")
    def ctc_loss(
        self, target: Array, output: Array, target_length: Array, output_length: Array, mask_index: int = 0
    ) -> Array:
        """Return minus the logarithm of the probability of a sequence of labels, given longer outputs.

        The sum over all alignments of A. Graves et al., "Connectionist Temporal Classification" (2006), section 4.1,
        in logarithms.

        Args:
            target: int labels, shape `(batch, labels)`.
            output: logits, shape `(batch, time, classes)`.
            target_length: ints, shape `(batch,)`: the number of valid labels.
            output_length: ints, shape `(batch,)`: the number of valid times.
            mask_index: the class that stands for no label.

        Returns:
            Shape `(batch,)`, of float32 at least.
        """
        logs = self.transpose(self.log_softmax(self._wide(output)), (1, 0, 2))
        time, batch, _ = self.shape(logs)
        labels = self._with_blanks(self.cast(target, "int32"), mask_index)
        states = self.shape(labels)[1]
        # A label may follow another without a blank, unless they are equal.
        before = self.constant_pad(labels, [(0, 0), (2, 0)], mask_index)[:, :states]
        skips = self.logical_and(self.not_equal(labels, before), self.not_equal(labels, mask_index))
        places = self.broadcast_to(self.expand_dims(labels, 0), (time, batch, states))
        emitted = self.take_along_axis(logs, places, 2)
        valid = self.expand_dims(self.arange(time, dtype="int32"), 1) < self.cast(output_length, "int32")
        first = self.arange(states, dtype="int32") < 2

        def moved(alpha: Array, by: int) -> Array:
            return self.constant_pad(alpha, [(0, 0), (by, 0)], _NEVER)[:, :states]

        def step(alpha: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
            emission, counts = inputs
            arrived = self.logaddexp(alpha, moved(alpha, 1))
            arrived = self.logaddexp(arrived, self.where(skips, moved(alpha, 2), _NEVER))
            return self.where(self.expand_dims(counts, 1), arrived + emission, alpha), None

        start = self.where(first, emitted[0], _NEVER)
        alpha = self.scan(step, start, (emitted[1:], valid[1:]))[0] if time > 1 else start
        # The last label, or the blank after it.
        end = 2 * self.expand_dims(self.cast(target_length, "int32"), 1)
        index = self.arange(states, dtype="int32")
        ends = self.logical_or(self.equal(index, end), self.equal(index, end - 1))
        return -self.logsumexp(self.where(ends, alpha, 10 * _NEVER), 1)

    def _with_blanks(self, target: Array, mask_index: int) -> Array:
        """Return labels with blanks before, between and after them."""
        batch, count = self.shape(target)
        pairs = self.stack([self.full((batch, count), mask_index, "int32"), target], 2)
        return self.constant_pad(self.reshape(pairs, (batch, 2 * count)), [(0, 0), (0, 1)], mask_index)

    @op("inputs", "float", others="sequence_lengths")
    def ctc_decode(
        self,
        inputs: Array,
        sequence_lengths: Array,
        strategy: Literal["greedy", "beam_search"] = "greedy",
        beam_width: int = 100,
        top_paths: int = 1,
        merge_repeated: bool = True,
        mask_index: int = 0,
    ) -> tuple[Array, Array]:
        """Return the most probable labels of outputs, in the encoding of `ctc_loss`.

        Args:
            inputs: logits, shape `(batch, time, classes)`.
            sequence_lengths: ints, shape `(batch,)`: the number of valid times.
            strategy: `"greedy"` takes the best class at each time. `"beam_search"` takes the labels that are most
                probable over all their alignments, as far as the beam is wide enough.
            beam_width: for `"beam_search"`, the number of label sequences that are followed.
            top_paths: for `"beam_search"`, the number of sequences to return, the best first.
            merge_repeated: for `"greedy"`, whether equal neighbours count as one label. A beam search always does so.
            mask_index: the class that stands for no label.

        Returns:
            `(labels, scores)`. For `"greedy"`: int32 `(1, batch, time)`, with -1 after the last label, and minus the
            sum of the chosen logits, `(batch, 1)`, in at least float32. For `"beam_search"`: int32
            `(top_paths, batch, time)`, and the logarithms of the probabilities of the labels, `(batch, top_paths)`.

        Raises:
            ValueError: if the strategy is unknown, or `top_paths` exceeds `beam_width`.
        """
        if strategy not in ("greedy", "beam_search"):
            raise ValueError(f"ctc_decode: `strategy` must be 'greedy' or 'beam_search'; received {strategy!r}.")
        inputs = self._wide(inputs)
        if strategy == "beam_search":
            if not 1 <= top_paths <= beam_width:
                raise ValueError(
                    f"ctc_decode: `top_paths` must be from 1 to `beam_width`; received {top_paths} and {beam_width}."
                )
            lengths = self.cast(sequence_lengths, "int32")
            return beam_search(self, self.log_softmax(inputs), lengths, beam_width, top_paths, mask_index)
        time = self.shape(inputs)[1]
        index = self.arange(time, dtype="int32")
        valid = index < self.expand_dims(self.cast(sequence_lengths, "int32"), 1)
        best = self.where(valid, self.argmax(inputs, -1), mask_index)
        score = -self.sum(self.where(valid, self.max(inputs, -1), 0.0), 1, True)
        kept = self.not_equal(best, mask_index)
        if merge_repeated:
            before = self.constant_pad(best, [(0, 0), (1, 0)], mask_index)[:, :time]
            kept = self.logical_and(kept, self.not_equal(best, before))
        order = self.argsort(self.where(kept, index, time), -1)
        labels = self.take_along_axis(self.where(kept, best, -1), order, -1)
        return self.expand_dims(labels, 0), score
