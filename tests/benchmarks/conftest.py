"""Lets unit tests use the programs of `tests/exhaustive`, which is a package of its own below `tests`."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
