"""The build of simaie: pyproject.toml defines everything except the modules that mypyc compiles on request.

`make wheel` asks, with ``SIMAIE_COMPILE=1`` in the environment. It needs mypy and a C compiler. Every other build is
pure Python and complete: the compiled modules are faster and otherwise behave the same. A wheel with compiled modules
holds their sources too, which run if ``SIMAIE_COMPILED=0`` is in the environment (see `simaie.compiled`).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup

#: The environment variable that asks for compiled modules.
SWITCH = "SIMAIE_COMPILE"
#: What is compiled: the searches by undo, the steps along a memo, and the monitors. These loops run no code of guests.
MODULES = {
    "simaie": ["locations", "small_steps"],
    "simaie/engine/memo": [
        "buffered", "finished", "memo", "monitors", "node", "prepared", "restored", "steps", "story", "threads",
        "undone",
    ],
    "schedulers/simaie_schedulers": ["dfs_tree", "dfs_undo"],
    "schedulers/simaie_schedulers/undo": ["divided", "flips", "order", "path", "races", "search", "unsettled", "waits"],
}
#: A compilation asks for the types of simaie and of the standard library only. All else is a Python object there: what
#: simaie depends on is neither installed nor read.
MYPY = """\
[mypy]
mypy_path = schedulers
follow_imports = silent
ignore_missing_imports = true
no_site_packages = true
"""


def compiled_modules() -> list[Any]:
    """Return the extension modules; none unless they are asked for."""
    if os.environ.get(SWITCH, "") != "1":
        return []
    from mypyc.build import mypycify

    files = [str(Path(folder, f"{name}.py")) for folder, names in MODULES.items() for name in names]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "mypy.ini")
        config.write_text(MYPY)
        options = [f"--config-file={config}", f"--cache-dir={folder}"]
        level = os.environ.get("MYPYC_OPT_LEVEL", "3")  # of the C compiler: tests build sooner with less
        found: list[Any] = mypycify(
            [*options, *files], opt_level=level, debug_level="0", group_name="simaie.compiled"
        )
    return found


setup(ext_modules=compiled_modules())
