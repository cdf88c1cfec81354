"""The machine that writes programs: it makes models and does things to them in any order, on two sides at once.

A program that differs shrinks to its few lines. What differs on purpose stands in `known_differences`, with a program in `shown.py`, and
is not written here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from differential.programs.opponents import Differs, Pair
from differential.programs.shown import SHOWN
from differential.programs.strategies import (
    Made,
    classes_in,
    data,
    input_names,
    losses,
    losses_in,
    metrics,
    trunks,
    weights_of_losses,
)
from differential.programs.vocabulary import AVERAGED, CALLBACKS, DECAYING, FIRST, LOSSES, OPTIMIZERS, layer

ADAPTED = ("lora", "int8")
"""Kinds of models whose weights LoRA or `quantize` changed."""
BUILT_IN = ("functional", "sequential", *ADAPTED)
"""Kinds of models without a class of the user's."""
LATE = ("LoRA after a prediction", "LoRA after training", "int8 after training")
BACKED_UP = {"BackupAndRestore", "Interrupts"}
AVERAGED_AGAIN = "averages and another training"
CHUNKED_STEPS = "several steps and steps_per_epoch"


models = Bundle("models")


class Programs(RuleBasedStateMachine):
    """Writes programs. A subclass sets `pair`, which runs them."""

    pair: ClassVar[Pair]
    begun: ClassVar[int] = 0
    """How many programs there were."""
    found: ClassVar[list[tuple[list[Any], str]] | None] = None
    """Where the programs that differ are kept, with what differs; if None, one that differs fails."""

    keras: ClassVar[str] = ""
    """The framework of Keras; none beside numpy."""

    def __init__(self) -> None:
        super().__init__()
        type(self).begun += 1
        self._made = 0
        self._calls: list[Any] = []
        self._over = False
        self._measured: set[str] = set()
        self._compiled: set[str] = set()
        self._in_chunks: set[str] = set()  # several steps in a call
        self._families: dict[str, str] = {}  # models that share weights
        self._used: set[str] = set()  # families that were trained, evaluated or asked for predictions
        self._frozen: set[str] = set()  # families with single frozen weights
        self._edited: dict[str, str] = {}  # the Sequential of a family whose layers came or went first
        self._averaged: set[str] = set()  # families whose optimizer keeps averages
        self._changed: set[str] = set()  # families with weights that came or were frozen after their first use
        self._unnamed: set[str] = set()  # models whose inputs have automatic names
        self.both({"do": "reset"})

    def differs(self, case: str) -> bool:
        """Whether Keras differs on its framework, as is shown."""
        return self.keras in SHOWN[case].frameworks

    def both(self, call: dict[str, Any]) -> dict[str, Any]:
        """Run a call on both sides, unless the program has differed already."""
        if self._over:
            return {"raised": "The program is over."}
        self._calls.append(call)
        try:
            return self.pair.both(call)
        except Differs as differs:
            if self.found is None:
                raise
            self.found.append((self._calls, str(differs)))
            self._over = True
            return {"raised": "The sides differ."}

    def _data(self, made: Made, arrays: bool = False, generators: bool = False) -> st.SearchStrategy[dict[str, Any]]:
        whole = self.differs("small batches of several outputs") and len(made.heads) > 1
        return data(made, arrays, generators and not self.differs("batches of a generator"), [8] if whole else [8, 10])

    def _steps(self, made: Made) -> st.SearchStrategy[int | None]:
        """Draw how many batches count: all, or fewer."""
        all_of_them = made.name in self._in_chunks and self.differs(CHUNKED_STEPS)
        return st.sampled_from([None, None, None if all_of_them else 1])

    def _without(self) -> tuple[str, ...]:
        return ("Measured",) * self.differs("metrics of layers")

    def _is_used(self, made: Made) -> bool:
        return self._families[made.name] in self._used

    def _name(self) -> str:
        self._made += 1
        return f"m{self._made}"

    def _make(self, made: Made, **call: Any) -> Any:
        """Run a call that makes a model; where both sides refuse, there is none."""
        self._families[made.name] = self._families[call["within"]] if "within" in call else made.name
        if "of" in call:
            for names in (self._measured, self._compiled, self._in_chunks, self._unnamed):
                if call["of"] in names:
                    names.add(made.name)
            for families in (self._frozen, self._averaged):
                if self._families[call["of"]] in families:
                    families.add(made.name)
        if made.name in self._compiled:  # Keras builds the optimizer of a copy
            self._used.add(made.name)
        if "raised" in self.both({"on": made.name, **call}):
            return multiple()
        self._count(made)
        return made

    def _count(self, made: Made) -> None:
        # Any first call makes the variables of Keras's optimizer, here the first training: also of what is frozen between.
        changed = bool(self.keras) and self._families[made.name] in self._changed
        self.both({"do": "count", "on": made.name, "optimizers": not changed})

    def _compiled_too(self, made: Any, draw: st.DataObject) -> Any:
        """Compile most new models and use them, as people do."""
        if isinstance(made, Made) and draw.draw(st.sampled_from([True, True, True, False])):
            self.compile(made, draw)
            self.use(made, draw)
        return made

    @initialize(target=models, draw=st.data())
    def begin(self, draw: st.DataObject) -> Any:
        return self.make_functional(draw)

    @rule(target=models, kind=st.sampled_from(sorted(FIRST)), head=st.sampled_from(sorted(LOSSES)), draw=st.data())
    def make_sequential(self, kind: str, head: str, draw: st.DataObject) -> Any:
        trunk = draw.draw(trunks(kind, self._without()))
        with_input = draw.draw(st.booleans())
        made = Made(
            self._name(), (kind,), (head,), kind="sequential", layers=classes_in([trunk]), deferred=not with_input
        )
        told = {
            "trunk": trunk,
            "heads": made.heads,
            "inputs": made.inputs,
            "with_input": with_input,
            "by_add": draw.draw(st.booleans()),
        }
        return self._compiled_too(self._make(made, do="make", how="sequential", model=told), draw)

    @rule(target=models, draw=st.data())
    def make_functional(self, draw: st.DataObject) -> Any:
        inputs = tuple(draw.draw(st.lists(st.sampled_from(sorted(FIRST)), min_size=1, max_size=2)))
        heads = tuple(draw.draw(st.lists(st.sampled_from([*sorted(LOSSES), "one"]), min_size=1, max_size=3)))
        form = draw.draw(st.sampled_from(["list", "dict"] if len(heads) > 1 else ["single", "list", "dict"]))
        x_form = draw.draw(st.sampled_from(["list", "dict"])) if len(inputs) > 1 else "single"
        names = tuple("bac"[: len(heads)])
        layers = [draw.draw(trunks(kind, self._without())) for kind in inputs]
        made = Made(self._name(), inputs, heads, form, x_form, names, layers=classes_in(layers))
        told = {
            "inputs": inputs,
            "input_names": input_names(inputs),
            "trunks": layers,
            "shared": draw.draw(st.booleans()),
            "heads": heads,
            "output_names": names,
            "x_form": x_form,
            "outputs_form": form,
        }
        return self._compiled_too(self._make(made, do="make", how="functional", model=told), draw)

    @rule(
        target=models,
        name=st.sampled_from(["Plain", "OwnLossTerm", "OwnMetrics", "OwnStep", "TwoHeads"]),
        returns=st.booleans(),
        draw=st.data(),
    )
    def make_subclassed(self, name: str, returns: bool, draw: st.DataObject) -> Any:
        if name != "TwoHeads":
            made = Made(self._name(), ("vector",), ("real",), kind=name)
            return self._compiled_too(self._make(made, do="make", how="subclassed", model={"class": name}), draw)
        form = "dict" if returns else "list"
        made = Made(self._name(), ("vector",), ("real", "yes"), form, names=("a", "b") if returns else (), kind=name)
        told = {"class": name, "config": {"returns": "dict" if returns else "tuple"}}
        return self._compiled_too(self._make(made, do="make", how="subclassed", model=told), draw)

    @rule(
        target=models,
        inner=models,
        kind=st.sampled_from(["sequential", "functional"]),
        head=st.sampled_from(sorted(LOSSES)),
    )
    def nest(self, inner: Made, kind: str, head: str) -> Any:
        if inner.form != "single" or inner.x_form != "single":
            return multiple()
        told = {"kind": kind, "inputs": inner.inputs, "heads": (head,)}
        if inner.kind not in ("functional", "sequential"):
            kind = inner.kind
        made = Made(self._name(), inner.inputs, (head,), kind=kind, layers=inner.layers)
        self._unnamed.add(made.name)
        return self._make(made, do="nest", within=inner.name, model=told)

    @rule(target=models, of=models, weights=st.booleans())
    def clone(self, of: Made, weights: bool) -> Any:
        if not weights and (of.kind == "lora" or (of.kind == "int8" and self.differs("a fresh layer of int8"))):
            return multiple()  # LoRA draws its first values
        if of.kind != "sequential" and of.name in self._unnamed and self.differs("names of inputs in clones"):
            return multiple()
        return self._make(of._replace(name=self._name()), do="clone", of=of.name, weights=weights)

    @rule(target=models, of=models, place=st.integers(0, 3), head=st.sampled_from(sorted(LOSSES)))
    def cut(self, of: Made, place: int, head: str) -> Any:
        if of.kind not in ("functional", "sequential") or of.deferred or len(of.inputs) > 1:
            return multiple()
        made = of._replace(name=self._name(), heads=(head,), form="single", names=(), kind="functional")
        if of.name in self._unnamed or of.kind == "sequential":
            self._unnamed.add(made.name)
        return self._make(made, do="cut", within=of.name, place=place, head=head)

    @rule(target=models, of=models, how=st.sampled_from(["deepcopy", "pickle", "config"]))
    def copied(self, of: Made, how: str) -> Any:
        if of.kind in ADAPTED and how == "config":  # it says no values
            return multiple()
        if of.kind == "lora" and self.differs("LoRA in files"):
            return multiple()
        if of.kind not in BUILT_IN and self.differs("names of copied objects"):
            return multiple()
        if self._families[of.name] in self._frozen and self.differs("a frozen weight in copies"):
            return multiple()
        if self._optimizer_differs(of) or self._shares_averages(of):
            return multiple()
        return self._make(of._replace(name=self._name()), do="copied", of=of.name, how=how)

    @rule(target=models, of=models, form=st.sampled_from(["keras", "h5", "weights.h5"]))
    def save(self, of: Made, form: str) -> Any:
        if form == "h5" and self._h5_differs(of):
            return multiple()
        if (of.kind == "lora" and self.differs("LoRA in files")) or self._optimizer_differs(of):
            return multiple()
        if self._shares_averages(of):
            return multiple()
        made = self._make(of._replace(name=self._name()), do="save", of=of.name, form=form)
        return multiple() if form == "weights.h5" else made  # no other model

    def _optimizer_differs(self, of: Made) -> bool:
        """Whether Keras forgets the optimizer's state in copies of a model."""
        changed = of.name in self._compiled and self._families[of.name] in self._changed
        return changed and self.differs("copies after weights were frozen or added")

    def _shares_averages(self, of: Made) -> bool:
        """Whether Keras's weights and their averages may be one memory, which another use gives away."""
        return self._is_used(of) and self._families[of.name] in self._averaged and self.differs("averages and copies")

    def _h5_differs(self, of: Made) -> bool:
        """Whether Keras cannot read its own file of a model."""
        return (
            (of.deferred and self.differs("a model without weights in .h5"))
            or ("mask" in of.layers and self.differs("masks in .h5"))
            or (self._families[of.name] in self._frozen and self.differs("a frozen weight in .h5"))
            or (of.name in self._compiled and self.differs("a loss by name in .h5"))
            or (of.kind not in BUILT_IN and self.differs("a user's class in .h5"))
        )

    @rule(made=models, draw=st.data())
    def use(self, made: Made, draw: st.DataObject) -> None:
        """Do what models are for, more often than what the other rules do."""
        for _ in range(draw.draw(st.integers(1, 4))):
            what = draw.draw(st.sampled_from(["fit", "fit", "evaluate", "on_batch", "predict", "compile"]))
            getattr(self, what)(made, draw)
        self._count(made)

    def compile(self, made: Made, draw: st.DataObject) -> None:
        if made.name in self._measured and self.differs("metrics of an earlier compile"):
            return
        loss = draw.draw(losses(made))
        told = {
            "loss": loss,
            "optimizer": draw.draw(st.sampled_from(self._optimizers(made, loss))),
            "metrics": draw.draw(metrics(made)),
            "weighted_metrics": draw.draw(metrics(made)),
            "loss_weights": draw.draw(weights_of_losses(made)),
            "steps_per_execution": draw.draw(
                st.sampled_from([1, 1, 1 if self.differs("several steps in a call") else 2])
            ),
            "run_eagerly": draw.draw(st.sampled_from([False, False, True])),
        }
        if told["metrics"] is not None or told["weighted_metrics"] is not None:
            self._measured.add(made.name)
        (self._in_chunks.add if told["steps_per_execution"] > 1 else self._in_chunks.discard)(made.name)
        self._compiled.add(made.name)
        averages = self._averaged.add if told["optimizer"] == AVERAGED else self._averaged.discard
        averages(self._families[made.name])
        self.both({"do": "compile", "on": made.name, **told})

    def _optimizers(self, made: Made, loss: Any) -> list[Any]:
        if "tokens" in made.inputs and self.differs("rows of an Embedding"):
            return ["sgd"]
        undecided = None in losses_in(loss) and self.differs("decay without a gradient")
        # Keras's averages are of weights before they are constrained, as the list of optimizers says.
        unlike = [AVERAGED] if "constraint" in made.layers and self.keras else []
        unlike += [DECAYING] if undecided else []
        return [optimizer for optimizer in (*OPTIMIZERS, DECAYING) if optimizer not in unlike]

    def _may_train(self, made: Made) -> bool:
        again = self._is_used(made) and self._families[made.name] in self._averaged
        return not (again and self.differs(AVERAGED_AGAIN))

    def fit(self, made: Made, draw: st.DataObject) -> None:
        if not self._may_train(made):
            return
        self._used.add(self._families[made.name])
        told = draw.draw(self._data(made, generators=True))
        epochs = 1 if told["form"] == "generator" else draw.draw(st.integers(1, 3))  # it has no more than one
        call = {"do": "fit", "on": made.name, "data": told, "epochs": epochs}
        in_chunks = made.name in self._in_chunks
        counted = in_chunks and self.differs("several steps and callbacks")
        counted = counted or (told["form"] == "generator" and self.differs("a generator and callbacks"))
        allowed = [entry for entry in CALLBACKS if not (counted and entry["config"].get("batches"))]
        if made.kind == "OwnLossTerm" and self.differs("a number that a step has read"):
            allowed.remove(layer("Anneals"))
        late = made.deferred or made.kind not in BUILT_IN
        if late and self.differs("a backup of a model that its data build"):
            allowed = [entry for entry in allowed if entry["class"] != "BackupAndRestore"]
        if self._families[made.name] in self._averaged and self.differs("averages after an error"):
            allowed = [entry for entry in allowed if entry["config"].get("how") != "raise"]
        call["callbacks"] = draw.draw(st.lists(st.sampled_from(allowed), max_size=2, unique_by=str))
        if self.differs("files of a backup") and {entry["class"] for entry in call["callbacks"]} >= BACKED_UP:
            call["callbacks"].pop()
        more = draw.draw(st.sampled_from(["", "", "validation", "split", "steps", "class_weight", "initial_epoch"]))
        if more == "validation":
            call["validation"] = draw.draw(self._data(made))
            call["validation_freq"] = draw.draw(st.integers(1, 2))
            call["validation_steps"] = draw.draw(self._steps(made))
        elif more == "split" and told["form"] == "arrays":
            call["validation_split"] = 0.4
        elif more == "steps" and told["form"] != "generator" and not (in_chunks and self.differs(CHUNKED_STEPS)):
            call["steps_per_epoch"] = draw.draw(st.integers(1, 4))
        elif (
            more == "class_weight"
            and not (told["form"] in ("generator", "loader") and self.differs("weights of classes in streams"))
            and made.heads in (("class",), ("yes",))
            and told["y_form"] == "single"
        ):
            call["class_weight"] = {"0": 0.5, "1": 2.0, "2": 1.0}
        elif more == "initial_epoch" and told["form"] != "generator":
            call["initial_epoch"], call["epochs"] = 1, call["epochs"] + 1
        refused = "raised" in self.both(call)
        stopped = any(callback["class"] == "Interrupts" for callback in call["callbacks"])  # between steps
        if refused and not stopped and self.differs("a fit that fails"):  # it may have been within one
            self._over = True

    def evaluate(self, made: Made, draw: st.DataObject) -> None:
        self._used.add(self._families[made.name])
        return_dict, batches = draw.draw(st.booleans()), draw.draw(st.booleans())
        told = draw.draw(self._data(made, generators=True))
        if made.name in self._in_chunks and self.differs("several steps and callbacks"):
            batches = False
        if told["form"] == "generator" and self.differs("a generator and callbacks"):
            batches = False
        call = {"do": "evaluate", "on": made.name, "data": told, "return_dict": return_dict}
        call["steps"] = draw.draw(self._steps(made))
        self.both({**call, "callbacks": [layer("Recorder", batches=batches)]})

    def predict(self, made: Made, draw: st.DataObject) -> None:
        self._used.add(self._families[made.name])
        steps = draw.draw(st.sampled_from([None, None, 2]))
        self.both({"do": "predict", "on": made.name, "data": draw.draw(self._data(made)), "steps": steps})

    def on_batch(self, made: Made, draw: st.DataObject) -> None:
        kinds = ["train", "test", "predict"] if self._may_train(made) else ["test", "predict"]
        self._used.add(self._families[made.name])
        what, return_dict = draw.draw(st.sampled_from(kinds)), draw.draw(st.booleans())
        told = draw.draw(self._data(made, arrays=True))
        self.both(
            {"do": "on_batch", "on": made.name, "data": told, "what": what, "return_dict": return_dict, "times": 2}
        )

    @rule(made=models, draw=st.data(), training=st.booleans())
    def call(self, made: Made, draw: st.DataObject, training: bool) -> None:
        self.both(
            {"do": "call", "on": made.name, "data": draw.draw(self._data(made, arrays=True)), "training": training}
        )

    @rule(made=models, place=st.integers(-1, 3), trainable=st.booleans(), weight=st.booleans())
    def freeze(self, made: Made, place: int, trainable: bool, weight: bool) -> None:
        family = self._families[made.name]
        if self._is_used(made) and self.differs("frozen after training"):
            return
        if self._is_used(made) and family in self._averaged and self.differs("averages of frozen layers"):
            return
        thawed = trainable and family in self._frozen
        if thawed and self.differs("a frozen weight of a thawed layer"):
            return
        if (
            trainable
            and not weight
            and (place < 0 or made.kind == "lora")
            and self.differs("thawing a trainable layer")
        ):
            return
        if weight and trainable and self.differs("a trainable weight that a call assigns"):
            return
        if weight and trainable and made.kind == "int8" and self.differs("an integer weight that is to train"):
            return
        if weight and trainable and self._is_used(made) and self.differs("a step that fails"):
            return  # its optimizer does not know the weight
        if weight:
            self._frozen.add(family)
        if self._is_used(made):
            self._changed.add(family)
        self.both({"do": "freeze", "on": made.name, "place": place, "trainable": trainable, "weight": weight})

    @rule(made=models, value=st.sampled_from([0.01, 0.02]))
    def rate(self, made: Made, value: float) -> None:
        self.both({"do": "rate", "on": made.name, "value": value})

    @rule(target=models, made=consumes(models), pop=st.booleans())
    def edit(self, made: Made, pop: bool) -> Any:
        if made.kind != "sequential":
            return made
        if pop and not made.layers and self.differs("an empty Sequential"):
            return made
        family = self._families[made.name]
        around = self._edited.setdefault(family, made.name) != made.name
        if around and self.differs("a layer after a model that has changed"):
            return made
        if self._is_used(made):
            self._changed.add(family)
        self.both({"do": "edit", "on": made.name, "pop": pop})
        self._count(made)
        return multiple() if pop else made._replace(heads=("real",))

    @rule(target=models, made=consumes(models), how=st.sampled_from(["lora", "int8"]))
    def adapt(self, made: Made, how: str) -> Any:
        if made.kind in ADAPTED or (self._is_used(made) and any(map(self.differs, LATE))):
            return made
        if how == "int8" and "TimeDistributed" in made.layers and self.differs("int8 in TimeDistributed"):
            return made
        self.both({"do": "adapt", "on": made.name, "how": how})
        return made._replace(kind=how)
