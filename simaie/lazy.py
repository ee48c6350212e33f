"""Names of a package that are imported when they are first used.

Importing simaie must not import what most programs never call: the litmus grammars, the corpus, the shrinker. A package
lists such names with their modules, and imports them for type checkers under ``TYPE_CHECKING`` (PEP 562).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package with lazily imported names.

    The modules of the package can be used as attributes too, as if they were imported already.

    Args:
        package: Name of the package.
        modules: The module that defines each name.
    """

    def get(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
                return import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        value = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)  # the next use finds it without a call
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return get, listed
