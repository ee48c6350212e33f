"""The console script ``simaie``, which imports the simulator itself, so that Ctrl-C during the import ends in one line.

It is a package next to `simaie` and not a part of it, since the import of a part imports the whole.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def main() -> int:
    """Run ``simaie`` with the process's arguments and return its exit status (see `simaie.cli.main`)."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, _leave)  # an exception could be lost in code that the import calls
    import simaie.cli.app  # noqa: F401  # which `run` would import otherwise
    from simaie.cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    status = run()
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has ended; only the interpreter has to
    return status


def _leave(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"simaie: interrupted\n")
    finally:
        os._exit(_INTERRUPTED)
