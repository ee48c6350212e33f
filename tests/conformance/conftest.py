"""Programs, schemes and helpers live with other tests: `exhaustive` is a package below `tests`."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
for _folder in (str(_TESTS / "unit"), str(_TESTS)):
    if _folder not in sys.path:
        sys.path.append(_folder)
