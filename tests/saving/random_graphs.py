"""Random functional models, the same lines for Keras and polykeras: `k` is what was imported.

All weights are of one shape, so that one that comes to the wrong place fits there. The draws depend on the seed alone,
and layers get the names that the library gives.
"""

from __future__ import annotations

import random
import re
import zlib
from typing import Any

import numpy as np

WIDTH = 3

STEPS = {
    "dense": 6,
    "again": 4,
    "mix": 3,
    "fork": 2,
    "merge": 2,
    "operator": 4,
    "nested": 2,
    "model again": 2,
    "sequential": 1,
    "cut": 1,
}
"""What may come next in a graph, and how often."""


def own_layers(k: Any) -> tuple[type, type]:
    """Make and register two layers of a user's."""

    class Weighted(k.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.kernel = self.add_weight(shape=(WIDTH, WIDTH), name="kernel")

        def weigh(self, x: Any) -> Any:
            return k.ops.tanh(k.ops.matmul(x, self.kernel))

    @k.saving.register_keras_serializable("graphs")
    class Mix(Weighted):
        """Takes any tree of tensors, by position and by keyword."""

        def call(self, inputs: Any, more: Any = None) -> Any:
            leaves = [x for x in k.tree.flatten((inputs, more)) if x is not None]
            return self.weigh(sum((i + 1.0) * x for i, x in enumerate(leaves)))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return None, WIDTH

    @k.saving.register_keras_serializable("graphs")
    class Fork(Weighted):
        """Gives a dict of two tensors."""

        def call(self, inputs: Any) -> Any:
            return {"right": self.weigh(inputs), "left": 1.0 - inputs}

        def compute_output_shape(self, input_shape: Any) -> Any:
            return {"right": (None, WIDTH), "left": (None, WIDTH)}

    return Mix, Fork


def draw_arrays(name: str, number: int) -> np.ndarray:
    """Return that many inputs or weights, of which no two are alike; `name` is the seed."""
    seed = zlib.crc32(name.encode())
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (number, WIDTH, WIDTH)).astype("float32")


def predicted(k: Any, model: Any, seed: int) -> np.ndarray:
    """Return what a model gives, one output after the other, for inputs that depend on the seed alone."""
    inputs = list(draw_arrays(f"inputs {seed}", len(model.inputs)))
    outputs = model(k.tree.pack_sequence_as(model.input, inputs), training=False)
    return np.stack([k.ops.convert_to_numpy(y) for y in k.tree.flatten(outputs)])


def order(model: Any) -> dict[str, Any]:
    """Return the names of a model's operations, layers and weights, and those of the models within it, in their order.

    An input that a model cut out of another one begins with is called after a tensor: their number is left out, which
    depends on how many were made while shapes were inferred.
    """
    operations = [re.sub(r"^keras_tensor(_\d+)?", "tensor", x.name) for x in getattr(model, "operations", ())]
    return {
        "operations": operations,
        "layers": [re.sub(r"^keras_tensor(_\d+)?", "tensor", x.name) for x in model.layers],
        "weights": [variable.path for variable in model.weights],
        "trainable": [variable.path for variable in model.trainable_variables],
        "variables": [path if (path := variable.path).endswith("kernel") else "seed" for variable in model.variables],
        "within": [order(x) for x in model.layers if hasattr(x, "layers")],
    }


class Maker:
    """Makes one model.

    Keras cannot read all graphs from its own files. In a `.keras` file calls are counted over all models that share a
    layer, but named within each; an `.h5` file takes an op for the layer of its name. So graphs for these formats do
    without.

    Args:
        k: `keras` or `polykeras`.
        own: what `own_layers(k)` gave.
        seed: of the draws.
        suffix: of the files for which the graph is meant; any graph will do for `.weights.h5`.

    Attributes:
        counts: how often each step was taken.
    """

    def __init__(self, k: Any, own: tuple[type, type], seed: int, suffix: str = ".weights.h5") -> None:
        self.k = k
        self.own = own
        self.draw = random.Random(f"{seed}{suffix}")
        self.steps = dict(STEPS)
        self.sharing = suffix == ".weights.h5"  # of layers, between models
        if not self.sharing:
            del self.steps["cut"]
        if suffix == ".h5":
            del self.steps["operator"]
        self.counts = dict.fromkeys(STEPS, 0)
        self._layers: list[Any] = []  # that take one tensor, of this graph and of those nested in it
        self._models: list[Any] = []
        self._made: dict[int, tuple[Any, Any, list[Any]]] = {}  # of tensors: itself, what gave it, from which others

    def model(self, depth: int = 2) -> Any:
        """Return a model with up to `depth` levels of models nested in it."""
        named = self.draw.random() < 0.5
        names = [f"in_{8 + i}" if named else None for i in range(self.draw.randint(1, 3))]
        inputs = [self.k.Input((WIDTH,), name=name) for name in names]
        tensors = list(inputs)
        for _ in range(self.draw.randint(5, 12) if depth == 2 else self.draw.randint(2, 5)):
            step = self.draw.choices(list(self.steps), list(self.steps.values()))[0]
            found = getattr(self, f"_{step.replace(' ', '_')}")(tensors, inputs, depth)
            if found:
                self.counts[step] += 1
                tensors += found
        outputs = self._outputs(tensors, inputs)
        if depth == 2 and self.sharing and self.draw.random() < 0.15:
            part = self._part(tensors, inputs)
            if part is not None:
                return part
        names = [name or "" for name in names]
        return self.k.Model(
            self._tree(inputs, names), self._tree(outputs, [f"out_{8 + i}" for i in range(len(outputs))])
        )

    def _outputs(self, tensors: list[Any], inputs: list[Any]) -> list[Any]:
        """Take what nothing was made of, and sometimes another one; all inputs may be unused."""
        used = {id(x) for _, _, parents in self._made.values() for x in parents}
        ends = [x for x in tensors[len(inputs) :] if id(x) not in used] or tensors[-1:]
        self.draw.shuffle(ends)
        ends = ends[: self.draw.choice([2, len(ends)])]
        if self.draw.random() < 0.3:
            ends.append(self.draw.choice(tensors))
        return list({id(x): x for x in ends}.values())

    # ---- trees of tensors ----------------------------------------------------------------------------------------

    def _tree(self, tensors: list[Any], names: list[str]) -> Any:
        """Return tensors alone, in a list, tuple or dict, or in one within the other."""
        if len(tensors) == 1 and self.draw.random() < 0.7:
            return tensors[0]
        form = self.draw.choice(["list", "tuple", "dict", "nested"])
        if form == "dict" and all(names):
            return dict(zip(names, tensors, strict=True))
        if form in ("dict", "nested"):
            return {"z": tensors[:1], "y": [tensors[1:]]} if len(tensors) > 1 else [tensors]
        return tuple(tensors) if form == "tuple" else tensors

    def _some(self, tensors: list[Any], least: int, most: int) -> list[Any]:
        return [self._one(tensors) for _ in range(self.draw.randint(least, most))]

    def _one(self, tensors: list[Any]) -> Any:
        """Draw a tensor; the last ones are drawn more often, so that graphs grow deep."""
        return self.draw.choice(tensors if self.draw.random() < 0.4 else tensors[-2:])

    def _note(self, outputs: Any, maker: Any, parents: Any) -> list[Any]:
        flat = self.k.tree.flatten(outputs)
        for x in flat:
            self._made[id(x)] = x, maker, self.k.tree.flatten(parents)
        return flat

    # ---- steps ---------------------------------------------------------------------------------------------------

    def _new_dense(self) -> Any:
        layer = self.k.layers.Dense(WIDTH, use_bias=False, activation="tanh")
        self._layers.append(layer)
        return layer

    def _dense(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        x, layer = self._one(tensors), self._new_dense()
        return self._note(layer(inputs=x) if self.draw.random() < 0.2 else layer(x), layer, x)

    def _again(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        if not self._layers:
            return []
        x, layer = self._one(tensors), self.draw.choice(self._layers)
        return self._note(layer(x), layer, x)

    def _mix(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        layer = self.own[0]()
        first, more = self._some(tensors, 1, 3), self._some(tensors, 1, 3)
        form = self.draw.choice(["list", "keyword", "tree"])
        if form == "list":
            y, more = layer(first), []
        elif form == "keyword":
            y = layer(first, more=more[0])
            more = more[:1]
        else:
            y = layer({"b": first, "a": more[0]}, more=[more[1:], first[0]])
        return self._note(y, layer, [first, more])

    def _fork(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        x, layer = self._one(tensors), self.own[1]()
        return self._note(layer(x), layer, x)

    def _merge(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        name = self.draw.choice(["Add", "Multiply", "Average", "Maximum", "Subtract"])
        if self.draw.random() < 0.2:
            x, layer = self._one(tensors), self.k.layers.Dropout(0.5)
            return self._note(layer(x), layer, x)
        found, layer = self._some(tensors, 2, 2), getattr(self.k.layers, name)()
        return self._note(layer(found), layer, found)

    def _operator(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        x, y = self._some(tensors, 2, 2)
        ops = self.k.ops
        forms: list[tuple[Any, list[Any]]] = [
            (lambda: x + y, [x, y]),
            (lambda: 0.5 * x, [x]),
            (lambda: 1.0 - x, [x]),
            (lambda: -x, [x]),
            (lambda: x / 2.0, [x]),
            (lambda: x * y, [x, y]),
            (lambda: ops.sin(x), [x]),
            (lambda: ops.maximum(x, y), [x, y]),
            (lambda: ops.concatenate([x, y], axis=-1)[:, 1:4], [x, y]),
            (lambda: ops.where(x > y, x, 0.5 * y), [x, y]),
            (lambda: ops.mean(ops.stack([x, y], axis=1), axis=1), [x, y]),
        ]
        form, parents = self.draw.choice(forms)
        return self._note(form(), None, parents)

    def _nested(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        if depth == 0:
            return []
        outer = self._made, self._layers, self._models
        self._made = {}
        if not self.sharing:
            self._layers, self._models = [], []
        model = self.model(depth - 1)
        self._made, self._layers, self._models = outer
        self._models.append(model)
        return self._call(model, tensors)

    def _call(self, model: Any, tensors: list[Any]) -> list[Any]:
        found = self._some(tensors, len(model.inputs), len(model.inputs))
        return self._note(model(self.k.tree.pack_sequence_as(model.input, found)), model, found)

    def _model_again(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        return self._call(self.draw.choice(self._models), tensors) if self._models else []

    def _sequential(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        known = list(self._layers)
        layers = [self._new_dense() for _ in range(self.draw.randint(1, 3))]
        if not self.sharing:
            self._layers = known
        elif known and self.draw.random() < 0.3:
            layers.insert(0, known[0])
        model = self.k.Sequential([self.k.Input((WIDTH,)), *layers] if self.draw.random() < 0.5 else layers)
        x = self._one(tensors)
        return self._note(model(x), model, x)

    def _cut(self, tensors: list[Any], inputs: list[Any], depth: int) -> list[Any]:
        model = self._part(tensors, inputs)
        if model is None:
            return []
        self._models.append(model)
        return self._call(model, tensors)

    def _part(self, tensors: list[Any], inputs: list[Any]) -> Any:
        """Return a model that begins at a tensor within the graph, or None where the draw finds none."""
        ends = [x for x in tensors if self._before(x, inputs)]
        if not ends:
            return None
        output = self.draw.choice(ends)
        start = self.draw.choice(self._before(output, inputs))
        maker = self._made[id(start)][1]
        between = [output, *self._before(output, [*inputs, start])]
        # Keras takes the result of `0.5 * x` for sparse, which cannot be an input on PyTorch, and loses further calls of
        # the layer that gave the tensor at which such a model begins.
        if maker is None or any(self._made[id(x)][1] is maker for x in between):
            return None
        return self.k.Model([start, *inputs], output)

    def _before(self, x: Any, stops: list[Any]) -> list[Any]:
        """Return what a tensor was made of, on the way to `stops`."""
        found: dict[int, Any] = {}
        left = [x]
        while left:
            for parent in self._made.get(id(left.pop()), (None, None, []))[2]:
                if id(parent) not in found and all(parent is not stop for stop in stops):
                    found[id(parent)] = parent
                    left.append(parent)
        return list(found.values())
