"""Named programs, each with its expected outcome under the schemes, as data.

There are one or more for every row of the audit of the AIE design (`cases`), a file for each theme; lock-free
algorithms (`guests`), in the package `lockfree`; bugs that emulators have had (`regressions`); idioms that rely on the
order of an Arm host (`idioms`); and the classes of violations by which schemes are told apart
(`simaie.corpus.violations`). They are created when the first of them is asked for.
"""

import re
from typing import TYPE_CHECKING

from simaie.lazy import lazy_names

if TYPE_CHECKING:
    from simaie.corpus.audit_case import Case, Expect, Needs
    from simaie.corpus.catalogue import case, cases, entry, guest, guests, idioms, names, program, regressions
    from simaie.corpus.idiom import Idiom
    from simaie.corpus.lockfree.guest import Guest, Row
    from simaie.corpus.regression import Regression

__all__ = [
    "Case", "Expect", "Guest", "Idiom", "Needs", "Regression", "Row",
    "case", "cases", "entry", "guest", "guests", "has_program", "idioms", "names", "program", "regressions",
]  # fmt: skip

_NAME = re.compile(r"[a-z0-9+-]+", re.IGNORECASE)


def has_program(name: str) -> bool:
    """Return whether a program of the corpus has this name. For a path, which none has, nothing is created."""
    if _NAME.fullmatch(name) is None:
        return False
    from simaie.corpus.catalogue import names

    return name in names()


__getattr__, __dir__ = lazy_names(
    __name__,
    dict.fromkeys(
        ("case", "cases", "entry", "guest", "guests", "idioms", "names", "program", "regressions"),
        "simaie.corpus.catalogue",
    )
    | dict.fromkeys(("Case", "Expect", "Needs"), "simaie.corpus.audit_case")
    | dict.fromkeys(("Guest", "Row"), "simaie.corpus.lockfree.guest")
    | {"Regression": "simaie.corpus.regression", "Idiom": "simaie.corpus.idiom"},
)
