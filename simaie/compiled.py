"""Modules that mypyc has compiled, and the switch that runs their Python sources instead.

The wheel of `make wheel` holds each compiled module next to its source. Python imports the compiled one. If
``SIMAIE_COMPILED=0`` is in the environment, a finder in front of Python's own finds only the sources. It does so for
every module of simaie and its schedulers, so this file need not know which ones are compiled (`setup.py` lists them). A
pure wheel and a checkout hold sources only, and the switch changes nothing. No result depends on it, only speed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType

__all__ = ["COMPILED_SWITCH", "obey_switch", "uses_compiled"]

#: The environment variable that runs the sources of compiled modules if it is ``0``.
COMPILED_SWITCH = "SIMAIE_COMPILED"
_PACKAGES = frozenset({"simaie", "simaie_schedulers"})
#: One of the compiled modules: they are compiled together.
_ONE = "simaie.engine.memo.node"


class _SourceFinder:
    """Finds the modules in packages of simaie as sources, also where a compiled module is next to them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how the module is loaded; None if it is not a module of simaie."""
        if path is None or name.partition(".")[0] not in _PACKAGES:
            return None
        for folder in path:
            found = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name, target)
            if found is not None:
                return found
        return None


def obey_switch() -> None:
    """Have modules of simaie loaded from their sources from now on, if the environment asks for that."""
    if os.environ.get(COMPILED_SWITCH, "") == "0" and _SourceFinder not in sys.meta_path:
        sys.meta_path.insert(0, _SourceFinder)


def uses_compiled() -> bool:
    """Whether compiled modules are used."""
    found = find_spec(_ONE)
    return found is not None and not isinstance(found.loader, SourceFileLoader)
