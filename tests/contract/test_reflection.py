"""Every backend is held to the contract by reflection: the same names, parameters and defaults, and nothing else."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from polykeras import ops
from polykeras.backend import Backend
from polykeras.backend.dispatch import bind
from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.backend.spec import Family, OpSpec
from polykeras.backend.symbolic import SymbolicBackend

REQUIRED = sorted(Backend.__abstractmethods__)
MOST_REQUIRED = 110
HELPERS = {"beam_search"}  # files of the families' folder that hold none


def _members(owner: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(owner, name) for name in dir(owner)}


def _public(owner: type) -> dict[str, Any]:
    return {name: member for name, member in _members(owner).items() if not name.startswith("_")}


def _shape_of(function: Any) -> list[tuple[str, Any, Any]]:
    """Return name, kind and default of each parameter."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_the_required_part_stays_small() -> None:
    print(f"{len(REQUIRED)} required methods, {len(_ops())} ops in the contract")
    assert 90 <= len(REQUIRED) <= MOST_REQUIRED


def _ops() -> dict[str, Any]:
    return {name: member for name, member in _public(Backend).items() if hasattr(member, "__op__")}


@pytest.mark.parametrize("name", sorted(_public(Backend)))
def test_every_method_of_the_contract_is_documented_and_annotated(name: str) -> None:
    member = _public(Backend)[name]
    if not inspect.isfunction(member):
        return
    assert inspect.getdoc(member), f"Backend.{name} has no docstring"
    parameters = list(inspect.signature(member).parameters.values())[1:]
    bare = [p.name for p in parameters if p.annotation is p.empty]
    assert bare == [], f"Backend.{name}: parameters without annotation"
    assert inspect.signature(member).return_annotation is not inspect.Signature.empty, f"Backend.{name}: no return type"


@pytest.mark.parametrize("name", sorted(_ops()))
def test_every_op_declares_arrays_that_it_has(name: str) -> None:
    method = _ops()[name]
    spec: OpSpec = method.__op__
    parameters = inspect.signature(method).parameters
    unknown = [n for n in spec.converted if n not in parameters]
    assert unknown == [], f"{name}: @op names parameters that the method lacks"
    assert len(set(spec.converted)) == len(spec.converted)
    assert spec.required == getattr(method, "__isabstractmethod__", False)


@pytest.mark.parametrize("name", sorted(_ops()))
def test_binding_keeps_signature_and_docstring(name: str) -> None:
    method = _ops()[name]
    function = bind(method)
    assert _shape_of(function) == _shape_of(method)[1:]
    assert function.__doc__ == method.__doc__


def _public_ops() -> list[str]:
    return sorted(n for n, member in vars(ops).items() if not n.startswith("_") and inspect.isfunction(member))


@pytest.mark.parametrize("name", _public_ops())
def test_every_public_op_is_annotated_and_documented(name: str) -> None:
    function = getattr(ops, name)
    assert inspect.getdoc(function), f"ops.{name} has no docstring"
    signature = inspect.signature(function)
    bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert bare == [], f"ops.{name}: parameters without annotation"
    assert signature.return_annotation is not signature.empty, f"ops.{name}: no return type"


# ---- families -----------------------------------------------------------------------------------------------------

FAMILIES = [cls for cls in Backend.__bases__ if cls.__mro__[1] is Family]


def _defined(owner: type) -> set[str]:
    """Return the names that a class defines itself, but those of Python."""
    return {name for name in vars(owner) if not name.startswith(("__", "_abc_"))}


def _public_of(owner: type) -> set[str]:
    return {name for name in _defined(owner) if not name.startswith("_")}


def test_the_contract_is_a_flat_list_of_families() -> None:
    assert Backend.__bases__ == tuple(FAMILIES)
    folder = Path(inspect.getfile(Family)).parent / "families"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", *HELPERS}
    assert sorted(cls.__module__.rpartition(".")[2] for cls in FAMILIES) == sorted(files)


def test_no_two_families_define_a_name() -> None:
    """So that their order does not matter."""
    owners: dict[str, list[str]] = {}
    for cls in (Backend, *FAMILIES):
        for name in _defined(cls):
            owners.setdefault(name, []).append(cls.__name__)
    assert {name: names for name, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_call_what_the_contract_has(family: type) -> None:
    """A family knows no other one, so that no type checker sees a name that is misspelt."""
    nodes = ast.walk(ast.parse(inspect.getsource(family)))
    asked = {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"}
    known = {*dir(Backend), *Backend.__annotations__}
    assert sorted(asked - known) == []


class Contract:
    """What is asked of a backend's class."""

    def test_nothing_is_left_abstract(self, backend_class: type) -> None:
        assert sorted(getattr(backend_class, "__abstractmethods__", ())) == []

    def test_no_public_name_that_the_contract_lacks(self, backend_class: type) -> None:
        assert sorted(set(_public(backend_class)) - set(_public(Backend)) - set(Backend.__annotations__)) == []

    def test_same_parameters_and_defaults(self, backend_class: type) -> None:
        wrong = {}
        members = _public(backend_class)
        for name, declared in _public(Backend).items():
            own = members[name]
            if own is declared or not inspect.isfunction(declared):
                continue
            assert callable(own), f"{name} is a method in the contract"
            if _shape_of(own) != _shape_of(declared):
                wrong[name] = f"{inspect.signature(own)}, declared {inspect.signature(declared)}"
        assert wrong == {}

    def test_it_is_put_together_of_families(self, backend_class: type) -> None:
        """Each of its parts is a subclass of families, and only the whole is a `Backend`: one style for all."""
        parts = [cls for cls in backend_class.__bases__ if cls is not Backend]
        if Backend not in backend_class.__bases__:
            pytest.skip("fast paths are switched off, which puts another class before it")
        assert backend_class.__bases__[-1] is Backend
        assert [cls.__name__ for cls in parts if issubclass(cls, Backend) or not issubclass(cls, Family)] == []
        astray = {
            cls.__name__: _public_of(cls) - {name for base in cls.__mro__[1:] for name in vars(base)} for cls in parts
        }
        assert {name: names for name, names in astray.items() if names} == {}, (
            "methods of families that it does not name"
        )

    def test_names_itself(self, backend_class: type) -> None:
        assert isinstance(backend_class.name, str)
        assert backend_class.name
        assert isinstance(backend_class.holds_values, bool)
        assert isinstance(backend_class.execution, ExecutionPolicy)


class TestBackend(Contract):
    """Each backend under test."""

    @pytest.fixture
    def backend_class(self, backend: Backend) -> type:
        return type(backend)


class TestSymbolic(Contract):
    """The backend without values."""

    @pytest.fixture
    def backend_class(self) -> type:
        return SymbolicBackend
