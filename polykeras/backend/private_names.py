"""How a backend takes a private name of its framework: with the plain form beside it, should the name be gone.

Each backend takes all of them in one module, `private.py`, so that a new release of a framework is read against one
page. What counts as private: names with a leading underscore and what lies under them, and modules for which the
framework promises nothing (`jax.extend`, `tensorflow.python`, ...). `tests/pure/test_code_rules.py` finds such names
elsewhere, and `tests/single/test_*_private.py` takes each away in turn.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from polykeras import fast


def find(name: str, otherwise: Any = None) -> Any:
    """Return what has a name in a framework, or the plain form where this version of the framework lacks it.

    Args:
        name: `"module:attribute.attribute"`.
        otherwise: the plain form.
    """
    try:
        return resolve_name(name)
    except (ImportError, AttributeError):
        fast.explain(name, "done without", "this version of its framework lacks it")
        return otherwise
