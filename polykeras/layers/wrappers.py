"""Layers around another layer."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.layers.layer import LAYERS, Layer
from polykeras.layers.rnn import RNN
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


class Wrapper(Layer):
    """Base class of layers that hold another layer.

    Args:
        layer: the layer within.
        **kwargs: as for `Layer`.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__} wraps a layer; received {layer!r} ({type(layer).__name__}).")
        self.layer = layer
        if self._batch_input_shape is None:
            self._batch_input_shape = layer._batch_input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the config of the layer within, and the arguments."""
        return super().get_config() | {"layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer of a config."""
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})


@LAYERS.register()
class TimeDistributed(Wrapper):
    """Another layer, applied to each time of `(batch, time, ...)`.

    The times become samples for one call of the layer.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Return the layer's outputs, `(batch, time, ...)`."""
        shape = ops.shape(inputs)
        if len(shape) < 3:
            raise ValueError(
                f"Layer {self.name!r} (TimeDistributed) expects inputs (batch, time, ...) of at least 3 axes; received {shape}."
            )
        flat = self.layer(ops.reshape(inputs, (shape[0] * shape[1], *shape[2:])))
        return ops.reshape(flat, (shape[0], shape[1], *ops.shape(flat)[1:]))


_MERGE_MODES = ("sum", "mul", "concat", "ave", None)


@LAYERS.register()
class Bidirectional(Wrapper):
    """A recurrent layer run forward and backward along time.

    Args:
        layer: a recurrent layer, run forward.
        merge_mode: how the two outputs become one: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None for a list of both.
        weights: initial weights.
        backward_layer: run backward; by default one of the same config.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: the layer is not recurrent, or an unknown merge mode.
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(layer, RNN):
            raise ValueError(f"Bidirectional wraps a recurrent layer; received {layer!r} ({type(layer).__name__}).")
        if merge_mode not in _MERGE_MODES:
            raise ValueError(f"Unknown merge_mode {merge_mode!r}. Known: {', '.join(map(repr, _MERGE_MODES))}.")
        super().__init__(layer, weights=weights, **kwargs)
        self.merge_mode = merge_mode
        config = layer.get_config()
        self.forward_layer = type(layer).from_config(config | {"name": f"forward_{layer.name}"})
        if backward_layer is None:
            backward = config | {"name": f"backward_{layer.name}", "go_backwards": not layer.go_backwards}
            self.backward_layer = type(layer).from_config(backward)
        else:
            self.backward_layer = backward_layer
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ValueError("Bidirectional needs a backward_layer that runs the other way (`go_backwards`).")
        # As Keras: at masked times neither direction shows what it remembers.
        self.forward_layer.zero_output_for_mask = self.backward_layer.zero_output_for_mask = True
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True

    # `layer` is a template: the two copies carry the weights.
    _untracked = (*Layer._untracked, "layer")

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        """Return the merged outputs; arguments as for `RNN`, the states of both layers in one list."""
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        forward = self.forward_layer(sequences, initial_state=first, mask=mask, training=training)
        backward = self.backward_layer(sequences, initial_state=second, mask=mask, training=training)
        states: list[Any] = []
        if self.return_state:
            states = [*forward[1:], *backward[1:]]
            forward, backward = forward[0], backward[0]
        if self.return_sequences:
            backward = ops.flip(backward, 1)
        output = self._merge(forward, backward)
        if not self.return_state:
            return output
        return [*output, *states] if isinstance(output, list) else [output, *states]

    def _merge(self, forward: Any, backward: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([forward, backward], axis=-1)
        if self.merge_mode == "sum":
            return ops.add(forward, backward)
        if self.merge_mode == "mul":
            return ops.multiply(forward, backward)
        if self.merge_mode == "ave":
            return ops.multiply(ops.add(forward, backward), 0.5)
        return [forward, backward]

    def compute_mask(self, sequences: Any, previous_mask: Any) -> Any:
        """Return the mask of the output: that of the times where sequences are returned."""
        mask = previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        if not self.return_sequences:
            mask = None
        outputs = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            count = (
                len(self.forward_layer.cell.state_size) if isinstance(self.forward_layer.cell.state_size, list) else 1
            )
            outputs += [None] * (2 * count)
        return outputs if len(outputs) > 1 else mask

    def reset_state(self) -> None:
        """Set the states of stateful layers to zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the layer's config, and the backward one's where it is another."""
        config = super().get_config()
        config.pop("weights", None)
        template = self.forward_layer.get_config() | {"name": ""}
        mirrored = self.backward_layer.get_config() | {"name": "", "go_backwards": self.forward_layer.go_backwards}
        config["backward_layer"] = None if template == mirrored else serialize_keras_object(self.backward_layer)
        return config
