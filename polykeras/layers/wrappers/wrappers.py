"""Layers that wrap another layer."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.shared_draws import folded_samples
from polykeras.backend.spec import Array
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.shapes import map_shapes
from polykeras.saving.serialization import serialize_keras_object


def build_within(layer: Layer, shape: Any) -> None:
    """Build a sublayer by calling it on shapes, which also builds the layers within it."""
    if not layer.built:
        infer_outputs(layer, (map_shapes(lambda s: KerasTensor(s, layer.compute_dtype), shape),), {})


class Wrapper(Layer):
    """Base class of layers that wrap another layer.

    Args:
        layer: the wrapped layer.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `layer` is not a layer.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__} wraps a layer; received {layer!r} ({type(layer).__name__}).")
        self.layer = layer
        if self._batch_input_shape is None:
            self._batch_input_shape = layer._batch_input_shape

    def build(self, input_shape: Any = None) -> None:
        """Build the wrapped layer."""
        build_within(self.layer, input_shape)


@LAYERS.register()
class TimeDistributed(Wrapper):
    """Applies a layer to each time step of `(batch, time, ...)`.

    All steps become samples of one call, so a wrapped `BatchNormalization` takes its statistics over all of them.

    Args:
        layer: the layer.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Build the wrapped layer for the shape without the time axis."""
        self._check(tuple(input_shape))
        build_within(self.layer, (input_shape[0], *input_shape[2:]))

    def _check(self, shape: tuple[Any, ...]) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"Layer {self.name!r} (TimeDistributed) expects inputs (batch, time, ...) of at least 3 axes; "
                f"received the shape {shape}."
            )

    def call(self, inputs: Any, training: bool | None = None, mask: Array | None = None) -> Any:
        """Return the layer's outputs, `(batch, time, ...)`.

        Args:
            inputs: `(batch, time, ...)`.
            training: passed to the wrapped layer.
            mask: bool `(batch, time, ...)`, passed to the wrapped layer if it takes a mask.

        Raises:
            ValueError: the inputs have less than 3 axes, or the mask has another number of steps.
        """
        shape = ops.shape(inputs)
        self._check(shape)
        extra = {}
        if mask is not None:
            times = ops.shape(mask)
            if times[:2] != shape[:2]:
                raise ValueError(
                    f"Layer {self.name!r} (TimeDistributed) expects a mask with the first axes of its inputs, "
                    f"{shape[:2]}; received the shape {times}."
                )
            if call_spec(type(self.layer).call).has_mask:
                extra["mask"] = ops.reshape(mask, (times[0] * times[1], *times[2:]))
        with folded_samples():
            flat = self.layer(ops.reshape(inputs, (shape[0] * shape[1], *shape[2:])), **extra)
        return ops.reshape(flat, (shape[0], shape[1], *ops.shape(flat)[1:]))


_MERGE = {
    "concat": lambda forward, backward: ops.concatenate([forward, backward], axis=-1),
    "sum": ops.add,
    "mul": ops.multiply,
    "ave": lambda forward, backward: ops.multiply(ops.add(forward, backward), 0.5),
}

# Attributes of both layers of a Bidirectional; they must agree in all except the last one.
_SHARED = ("return_sequences", "return_state", "stateful", "go_backwards")


@LAYERS.register()
class Bidirectional(Layer):
    """Runs a recurrent layer forward and backward along time.

    Args:
        layer: a recurrent layer, from whose config the forward layer is made, with weights of its own. Any layer works
            that has the attributes `go_backwards`, `return_sequences`, `return_state` and `stateful`, and takes
            `go_backwards` as an argument.
        merge_mode: how to merge the two outputs: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None to return both.
        weights: arrays with the initial weights.
        backward_layer: the layer that runs backward; by default one with the config of `layer`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the layers are not recurrent or do not match, or the merge mode is unknown.
    """

    sample_by_sample = True
    _not_in_config = (*Layer._not_in_config, "weights", "layer", "backward_layer")

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for one in (layer,) if backward_layer is None else (layer, backward_layer):
            lacking = ", ".join(name for name in _SHARED if not hasattr(one, name))
            if lacking or not isinstance(one, Layer):
                reason = f"lacks {lacking}" if isinstance(one, Layer) else "is no layer"
                raise ValueError(
                    "Bidirectional wraps recurrent layers, or layers with their attributes; "
                    f"received {one!r} ({type(one).__name__}), which {reason}."
                )
        if merge_mode not in (*_MERGE, None):
            raise ValueError(f"Unknown merge_mode {merge_mode!r}. Known: {', '.join(map(repr, _MERGE))}, None.")
        super().__init__(weights=weights, **kwargs)
        if self._batch_input_shape is None:
            self._batch_input_shape = layer._batch_input_shape
        self.merge_mode = merge_mode
        self.forward_layer = _like(layer, "forward", go_backwards=layer.go_backwards)
        self.backward_layer = backward_layer or _like(layer, "backward", go_backwards=not layer.go_backwards)
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):  # at masked steps, neither direction outputs its memory
                one.zero_output_for_mask = one.return_sequences
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        self.supports_masking = True

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        for name in _SHARED:
            same = getattr(forward, name) == getattr(backward, name)
            if same == (name == "go_backwards"):
                raise ValueError(
                    f"Bidirectional: `layer` and `backward_layer` must {'differ' if same else 'agree'} in `{name}`; "
                    f"received {getattr(forward, name)} and {getattr(backward, name)}."
                )

    def build(self, sequences_shape: Any) -> None:
        """Build both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            build_within(layer, sequences_shape)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Array | None = None, training: bool | None = None
    ) -> Any:
        """Return the merged outputs.

        Args:
            sequences: `(batch, time, ...)`.
            initial_state: the states of the forward layer, then those of the backward one.
            mask: bool `(batch, time)`.
            training: whether to apply dropout.

        Returns:
            The output, or a tuple of both outputs if `merge_mode` is None. With `return_state`, a tuple of the output
            and the states of the forward and of the backward layer.
        """
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        forward = _run(self.forward_layer, sequences, first, mask, training)
        backward = _run(self.backward_layer, sequences, second, mask, training)
        states: tuple[Any, ...] = ()
        if self.return_state:
            (forward, *left), (backward, *right) = forward, backward
            states = (*left, *right)
        if self.return_sequences:
            backward = ops.flip(backward, 1)
        if self.merge_mode is None:
            return (forward, backward, *states)
        output = _MERGE[self.merge_mode](forward, backward)
        return (output, *states) if states else output

    def compute_mask(self, sequences: Any, mask: Array | None = None) -> Any:
        """Return the mask of the outputs: the input's mask if sequences are returned.

        Args:
            sequences: the inputs of the call.
            mask: `(batch, time)` as bool, or None.
        """
        mask = mask if self.return_sequences else None
        outputs = [mask] if self.merge_mode else [mask, mask]
        if self.return_state:
            outputs += [None] * (2 * len(self.forward_layer.state_size))
        return outputs if len(outputs) > 1 else mask

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states of the forward and backward layers if they are stateful; otherwise None."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Reset the states of stateful layers to their initial values."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """Return the configs of both layers, and the arguments."""
        return super().get_config() | {
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }


def _run(layer: Any, sequences: Any, initial_state: Any, mask: Array | None, training: bool | None) -> Any:
    """Call one of the two layers with the arguments that it accepts."""
    spec = call_spec(type(layer).call)
    given = {"initial_state": initial_state} if initial_state is not None else {}
    given |= {"mask": mask} if spec.has_mask else {}
    return layer(sequences, **given, **({"training": training} if spec.has_training else {}))


def _like(layer: Any, prefix: str, **changes: Any) -> Any:
    """Return a new layer with the config of `layer`, another name, and the given changes."""
    name = f"{prefix}_{layer.name.removeprefix(f'{prefix}_')}"
    return type(layer).from_config(layer.get_config() | changes | {"name": name})
