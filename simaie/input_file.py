"""Reading a file from an untrusted source: it is opened once, must be a regular file, and has a limit on its size."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

__all__ = ["MAX_SOURCE_BYTES", "read_bounded"]

#: The largest Python source that is read, in bytes; no person writes a longer one.
MAX_SOURCE_BYTES = 16 << 20

_OTHER_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_bounded(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the content of the regular file at `path`, which has at most `most` bytes.

    The file is opened once and checked after it was opened, so that it cannot be exchanged between check and read.
    Opening a named pipe does not wait for its other end.

    Args:
        path: The file; a symbolic link is followed.
        most: The largest size that is accepted, in bytes. At most one byte more is read.

    Raises:
        OSError: The file cannot be read, is larger, or is no regular file; `strerror` says which.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a NUL, or another character that no file name can have
        raise OSError(errno.EINVAL, f"no file has such a name ({error})", str(path)) from None
    with open(descriptor, "rb") as stream:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((words for is_kind, words in _OTHER_KINDS if is_kind(mode)), "something else")
            raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return data
