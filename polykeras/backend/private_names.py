"""How a backend takes a private name of its framework, with a plain form in case the name is gone.

Each backend takes all such names in one module, `private.py`, so that a new release of a framework can be checked
against one page. Private are names with a leading underscore and everything below them, and modules for which the
framework makes no promises (`jax.extend`, `tensorflow.python`, ...). `tests/pure/test_code_rules.py` finds such names
elsewhere, and `tests/single/test_*_private.py` takes each one away in turn.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from polykeras import fast


def find(name: str, otherwise: Any = None) -> Any:
    """Return the object with a given name in a framework, or the plain form if this version of the framework lacks it.

    Args:
        name: `"module:attribute.attribute"`.
        otherwise: the plain form.
    """
    try:
        return resolve_name(name)
    except (ImportError, AttributeError):
        fast.explain(name, "done without", "this version of its framework lacks it")
        return otherwise
