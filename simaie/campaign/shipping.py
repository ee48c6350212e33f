"""The files of programs on the way to workers of a cluster that lack them.

A worker gets a file under the path that the campaign names it by, and only if there is no file at that path. So nothing
is overwritten: a worker that has another file keeps it, and the digest of the program, which each shard checks, tells.
A file comes alone; if it imports others that are missing, the shard ends the campaign with a message that says so.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from simaie.campaign.unit import file_of
from simaie.errors import InputError
from simaie.saving import save_file

__all__ = ["Parcel", "parcel_for"]


class Parcel(NamedTuple):
    """A file to send.

    Attributes:
        path: The path, as the campaign names it.
        content: What is in it.
    """

    path: str
    content: bytes

    def unpack(self) -> bool:
        """Write the file, unless there is one or it cannot be written, and return whether it was written."""
        with contextlib.suppress(OSError, InputError):
            if not Path(self.path).exists():
                save_file(self.path, self.content)
                return True
        return False


def parcel_for(target: str) -> Parcel | None:
    """Return the file of a target; None for a program of the corpus, and for a file that cannot be read."""
    name = file_of(target)
    with contextlib.suppress(OSError):
        if name and Path(name).is_file():
            return Parcel(name, Path(name).read_bytes())
    return None
