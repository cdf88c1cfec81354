"""Without any one private name of its framework the tensorflow backend computes the same."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import without_names

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.needs("tensorflow")


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
