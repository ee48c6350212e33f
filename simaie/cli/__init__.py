"""The command line. `main` is the entry point; a command imports its modules when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``simaie`` with `argv` (default: the process's own arguments) and return its exit status.

    The statuses are 0 (holds), 1 (violated), 2 (bad usage or input, or output that cannot be written), 3
    (inconclusive), 70 (a bug of simaie), 130 (interrupted), 141 (the reader of the output left) and 143 (terminated).
    """
    try:
        from simaie.cli.status import run
    except KeyboardInterrupt:
        print("simaie: interrupted", file=sys.stderr)
        return 130
    return run(argv)
