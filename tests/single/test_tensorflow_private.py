"""Without any one private name of its framework the tensorflow backend computes the same."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from helpers import without_names

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.slow]


TOGETHER = (
    "tensorflow.python.eager.polymorphic_function.attributes:NO_INLINE",
    "tensorflow:__internal__.FuncGraph",
    "tensorflow:__internal__.types.Tensor",
    "tensorflow:__internal__.tracking.Trackable",
    "tensorflow.python.framework.config:is_op_determinism_enabled",
    "tensorflow.python.framework.ops:get_dtype_conversion_mode",
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeSetIsStopped",
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeSetIsEmpty",
    "tensorflow.python.ops.resource_variable_ops:ResourceVariable",
    "tensorflow.python.eager.context:anonymous_name",
    "tensorflow.python.framework.auto_control_deps_utils:get_read_only_resource_input_indices_graph",
    "tensorflow:Tensor._shape_tuple",
    "tensorflow.python.util._pywrap_util_port:IsMklEnabled",
    "tensorflow.compiler.tf2xla.ops.gen_xla_ops:xla_dynamic_update_slice",
)
"""What stands in for one of these does not depend on the others. The other names are parts of one thing: of a call, say."""


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return without_names.outcome("tensorflow", TOGETHER)


def test_numbers_stay(results: dict[str, Any]) -> None:
    assert len(results) > 8
    without_names.check(results)


def test_graphs_are_called_plainly_without_what_their_options_need(results: dict[str, Any]) -> None:
    for name, result in results.items():
        plainly = any(
            part in name
            for part in ("context:context", "FunctionCallOptions", "RewriterConfig", "ConfigProto", "_call_flat")
        )
        assert result["private"]["call"] == f"<function {'_call_plainly' if plainly else '_call'}>"
        assert result["warnings"] == []


TAPES = (
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeSetIsEmpty",
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeVariableAccessed",
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeSetShouldRecordBackprop",
    "tensorflow.python.eager.record:record_operation",
)
"""What stands in for one of these asks for the others: together they decide what a tape sees of a variable."""
GRADIENTS = """
import itertools, json, os, sys

sys.modules["keras"] = None  # which takes longer than all else
import tensorflow

import polykeras as keras
from polykeras import ops
from polykeras.backend import private_names


def gradients():
    tf = tensorflow
    weight = keras.Variable([1.0, 2.0])
    loss = lambda: ops.sum(weight * weight * weight)
    neutral = keras.value_and_grad(loss, [weight])

    def by_tape():
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, weight)

    def of_a_tape():  # half the second derivative, times the weight: the first one
        slope = keras.value_and_grad(lambda: ops.sum(by_tape()), [weight])
        return slope()[1][0] / 2.0 * weight

    def of_a_gradient():
        with tf.GradientTape() as tape:
            slope = ops.sum(neutral()[1][0])
        return tape.gradient(slope, weight) / 2.0 * weight

    def in_a_function():
        return keras.function(neutral)()[1][0]

    cases = {"neutral": lambda: neutral()[1][0], "in a function": in_a_function, "by a tape": by_tape}
    cases |= {f"{name}, of a `tf.Variable`": case for name, case in list(cases.items())}
    return {name: result_of(case) for name, case in (cases | {"of a tape": of_a_tape, "of a gradient": of_a_gradient}).items()}


def result_of(case):
    try:
        return ops.convert_to_numpy(case()).tolist()
    except RuntimeError as error:
        return str(error)


names, found = sys.argv[1:], private_names.find
for count in range(len(names) + 1):
    for away in itertools.combinations(names, count):
        sys.stdout.flush()
        if os.fork() == 0:
            private_names.find = lambda name, otherwise=None: otherwise if name in away else found(name, otherwise)
            try:
                with keras.use_backend("tensorflow"):
                    result = gradients()
            except BaseException as error:
                result = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps([away, result]), flush=True)
            os._exit(0)
        os.wait()
"""


def test_without_names_for_tapes_gradients_are_right_or_refused() -> None:
    command = [sys.executable, "-c", GRADIENTS, *TAPES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 ** len(TAPES)
    wrong, refused = [], []
    for away, results in lines:
        for name, result in results.items():
            if isinstance(result, str) and "lacks `record_operation`" in result:
                refused.append((tuple(away), name))
            elif result != [3.0, 12.0]:
                wrong.append((away, name, result))
    assert wrong == []
    record, all_names = TAPES[-1], TAPES
    assert (all_names, "neutral") in refused
    assert {away for away, _ in refused if record not in away} == set()
    assert {name for away, name in refused if away == (record,)} <= {"of a tape", "of a gradient"}
